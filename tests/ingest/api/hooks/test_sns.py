"""CloudWatch through SNS: who signed it, what is fetched from AWS, and what never is."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from ingest.api.hooks import sns
from ingest.api.problems import Problem, ProblemError
from tests.ingest.api.conftest import Post, stored_ids
from tests.ingest.api.hooks.conftest import parsed

CLOUDWATCH = "/api/v1/hooks/cloudwatch"
TEXT = "text/plain; charset=UTF-8"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(days: int = 30) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_KEY.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .sign(_KEY, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def signed(name: str, version: str = "1", **more: Any) -> dict[str, Any]:
    """A fixture as SNS would sign it: the fields and their order are its documentation's."""
    envelope = {**parsed(name), "SignatureVersion": version, **more}
    if envelope["Type"] == "Notification":
        order = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        order = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{field}\n{envelope[field]}\n" for field in order if envelope.get(field) is not None)
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - what version 1 is
    envelope["Signature"] = base64.b64encode(_KEY.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return envelope


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is asked of AWS, which answers a certificate."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return certificate()

    monkeypatch.setattr(sns, "fetch", fetch)
    sns.forget()
    yield asked
    sns.forget()


@pytest.fixture
def _verify(settings: Any) -> None:
    settings.SNS_VERIFY = True


@pytest.mark.usefixtures("_verify")
@pytest.mark.parametrize("version", ["1", "2"])
def test_what_sns_signed_is_taken_and_the_certificate_is_asked_for_once(
    post: Post, empty_redis: redis.Redis, fetched: list[str], version: str
) -> None:
    for name in ("cloudwatch", "cloudwatch-ok"):
        answer = post(CLOUDWATCH, signed(name, version), content_type=TEXT)
        assert answer.status == 202, answer.body
    without_subject = signed("cloudwatch-insufficient", version, Subject=None)
    assert post(CLOUDWATCH, without_subject, content_type=TEXT).status == 202
    assert len(stored_ids(empty_redis)) == 3
    assert fetched == [parsed("cloudwatch")["SigningCertURL"]]


@pytest.mark.usefixtures("_verify")
@pytest.mark.parametrize(
    "changed",
    [
        {"Message": "{}"},
        {"Signature": "AAAA"},
        {"Signature": "é"},
        {"Signature": None},
        {"SignatureVersion": "3"},
        {"SignatureVersion": 1},
        {"SignatureVersion": []},
        {"Type": "SubscriptionConfirmation"},
        {"Type": "Other"},
        {"Type": {}},
        {"TopicArn": 7},
        {"SigningCertURL": "http://sns.eu-central-1.amazonaws.com/x.pem"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com/x.txt"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com.evil.example/x.pem"},
        {"SigningCertURL": "https://evil.s3.amazonaws.com/x.pem"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com@evil.example/x.pem"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com:8443/x.pem"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com\\@evil.example/x.pem"},
        {"SigningCertURL": "https://[::1]/x.pem"},
        {"SigningCertURL": "https://[/x.pem"},
        {"SigningCertURL": None},
    ],
)
def test_what_sns_did_not_sign_is_refused(
    post: Post, empty_redis: redis.Redis, fetched: list[str], changed: dict[str, Any]
) -> None:
    answer = post(CLOUDWATCH, {**signed("cloudwatch"), **changed}, content_type=TEXT)
    assert (answer.status, answer.json["code"]) == (403, "sns_refused")
    assert stored_ids(empty_redis) == set()
    assert all(url == parsed("cloudwatch")["SigningCertURL"] for url in fetched)


@pytest.mark.usefixtures("_verify")
def test_a_certificate_that_ran_out_or_is_none_is_refused(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    for answered in (certificate(days=-1), b"no certificate"):
        sns.forget()
        monkeypatch.setattr(sns, "fetch", lambda url, answered=answered: answered)
        assert post(CLOUDWATCH, signed("cloudwatch"), content_type=TEXT).status == 403
    sns.forget()


@pytest.mark.usefixtures("_verify")
def test_while_aws_does_not_answer_it_is_sent_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(url: str) -> bytes:
        raise ProblemError(Problem(503, "sns_unavailable", "x", retryable=True))

    monkeypatch.setattr(sns, "fetch", away)
    sns.forget()
    assert post(CLOUDWATCH, signed("cloudwatch"), content_type=TEXT).status == 503


@pytest.mark.parametrize("verified", [True, False])
def test_a_subscription_is_confirmed(post: Post, fetched: list[str], settings: Any, verified: bool) -> None:
    settings.SNS_VERIFY = verified
    answer = post(CLOUDWATCH, signed("cloudwatch-subscription"), content_type=TEXT)
    assert (answer.status, answer.json["received"]) == (202, 0)
    assert fetched[-1] == parsed("cloudwatch-subscription")["SubscribeURL"]
    assert len(fetched) == 1 + verified


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?sns.eu-central-1.amazonaws.com",
        "http://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://169.254.169.254/latest/meta-data/",
        "https://s3.amazonaws.com/evil",
        "https://sns.eu-central-1.amazonaws.com.evil.example/",
        "https://u:p@sns.eu-central-1.amazonaws.com/",
        "file:///etc/passwd",
        "https://sns.eu-central-1.amazonaws.com/ HTTP/1.1\r\nX: y",
        7,
        None,
    ],
)
def test_nothing_else_is_fetched(post: Post, fetched: list[str], url: Any) -> None:
    answer = post(CLOUDWATCH, {**parsed("cloudwatch-subscription"), "SubscribeURL": url}, content_type=TEXT)
    assert (answer.status, answer.json["field"]) == (403, "SubscribeURL")
    assert fetched == []


def test_in_production_it_is_verified(settings_of: Callable[..., Any]) -> None:
    prod = {"PROD": "true", "SECRET_KEY": "x" * 50, "ALLOWED_HOSTS": "a.example.org"}
    assert settings_of("SNS_VERIFY", **prod) is True
    assert settings_of("SNS_VERIFY") is False
    assert settings_of("SNS_VERIFY", SNS_VERIFY="1") is True


@pytest.fixture
def settings_of() -> Callable[..., Any]:
    import os
    import subprocess
    import sys

    def read(name: str, **environment: str) -> Any:
        code = f"import json; from queueadmin import settings; print(json.dumps(settings.{name}))"
        known = {**os.environ, "QUEUEADMIN_HOME": os.environ["QUEUEADMIN_HOME"], **environment}
        done = subprocess.run([sys.executable, "-c", code], env=known, capture_output=True, check=True, text=True)
        return json.loads(done.stdout)

    return read
