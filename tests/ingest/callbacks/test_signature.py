"""Signatures, against the vector that Svix, where the Standard Webhooks specification comes from, publishes."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from ingest.callbacks import signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_published_vector(settings: Any) -> None:
    settings.CALLBACK_SECRET = [SECRET]
    body = b'{"test": 2432232314}'

    assert signature.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_keys_sign_both_while_one_replaces_the_other(settings: Any) -> None:
    other = signature.secret_of(b"x" * 32)
    settings.CALLBACK_SECRET = [SECRET, other]
    both = signature.headers("a", 1, b"{}")["webhook-signature"].split(" ")
    settings.CALLBACK_SECRET = [other]
    assert both[1:] == [signature.headers("a", 1, b"{}")["webhook-signature"]]
    assert len(both) == 2


def test_without_a_secret_the_key_comes_from_the_secret_key(settings: Any) -> None:
    settings.CALLBACK_SECRET = []
    settings.SECRET_KEY = "a"
    [key] = signature.signing_keys()
    settings.SECRET_KEY = "b"
    assert signature.signing_keys() != [key]
    assert len(key) == 32
    assert signature.key_of(signature.secret_of(key)) == key
    assert b"a" * 8 not in key


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "ä" * 40, "A" * 120])
def test_what_is_no_key_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - its text is the assertion
        signature.key_of(secret)
    assert not secret or secret not in str(refused.value)


def test_it_is_what_a_receiver_computes(settings: Any) -> None:
    settings.CALLBACK_SECRET = []
    sent = signature.headers("id", 5, b"body")
    key = base64.b64decode(signature.secret_of(signature.signing_keys()[0]).removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, b"id.5.body", hashlib.sha256).digest()).decode()
    assert sent["webhook-signature"] == f"v1,{digest}"
