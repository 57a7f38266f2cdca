"""Whether SNS sent a message, and saying yes to its subscription.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
Certificates and subscriptions are fetched from https://sns.<region>.amazonaws.com alone, without redirects: any other
address in a body is somebody's who would have us call where we should not, or sign as SNS.
"""

import base64
import binascii
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.conf import settings

from ingest.api import decode
from ingest.api.problems import Problem, ProblemError

#: Seconds for one address of AWS, and bytes of its answer that are read.
SECONDS: Final = 3.0
ANSWER_BYTES: Final = 64 * 1024
#: Certificates that are kept: AWS has one a region, and changes it once a year.
KEPT: Final = 32

_HOST: Final = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
#: What is signed, in this order, each where it is there.
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: Final[dict[Any, type[hashes.HashAlgorithm]]] = {"1": hashes.SHA1, "2": hashes.SHA256}

_certificates: Final[OrderedDict[str, x509.Certificate]] = OrderedDict()
_lock: Final = threading.Lock()
_pool: Final = urllib3.PoolManager(timeout=SECONDS, retries=False)


def check(body: bytes) -> None:
    """Before a body is read: verify its signature where SNS_VERIFY asks for that, and confirm a subscription.

    Raises ProblemError: 403 for one that SNS did not sign, 503 when AWS cannot be asked. What is no envelope at all
    is left to whoever reads it.
    """
    try:
        envelope = decode.parse(body.strip())
    except decode.Refused:
        return
    if settings.SNS_VERIFY:
        _verify(envelope)
    if envelope.get("Type") == "SubscriptionConfirmation":
        _confirm(envelope.get("SubscribeURL"))


def forget() -> None:
    """Know of no certificate."""
    with _lock:
        _certificates.clear()


def _verify(envelope: Mapping[str, Any]) -> None:
    names = _SIGNED.get(envelope["Type"]) if isinstance(envelope.get("Type"), str) else None
    algorithm = (
        _HASHES.get(envelope.get("SignatureVersion")) if isinstance(envelope.get("SignatureVersion"), str) else None
    )
    signature = envelope.get("Signature")
    if names is None or algorithm is None or not isinstance(signature, str):
        raise _refused("It has no signature of SNS, version 1 or 2; is raw message delivery on?")
    signed = [(name, envelope[name]) for name in names if envelope.get(name) is not None]
    if not all(isinstance(value, str) for _, value in signed):
        raise _refused("A signed field is no text.")
    key = _certificate(_address(envelope.get("SigningCertURL"), "SigningCertURL", ends=".pem")).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise _refused("The certificate's key is none of RSA.")
    try:
        given = base64.b64decode(signature, validate=True)
        text = "".join(f"{name}\n{value}\n" for name, value in signed)
        key.verify(given, text.encode(), padding.PKCS1v15(), algorithm())
    except (InvalidSignature, binascii.Error, ValueError):
        raise _refused("Its signature is wrong.") from None


def _certificate(url: str) -> x509.Certificate:
    """The certificate at a checked address, asked for once."""
    with _lock:
        known = _certificates.get(url)
    if known is None:
        try:
            known = x509.load_pem_x509_certificate(fetch(url))
        except ValueError:
            raise _refused("SigningCertURL has no certificate.") from None
        with _lock:
            _certificates[url] = known
            while len(_certificates) > KEPT:
                _certificates.popitem(last=False)
    if not known.not_valid_before_utc <= datetime.now(UTC) <= known.not_valid_after_utc:
        with _lock:
            _certificates.pop(url, None)
        raise _refused("The certificate has run out.")
    return known


def _confirm(url: Any) -> None:
    fetch(_address(url, "SubscribeURL"))


def _address(url: Any, field: str, ends: str = "") -> str:
    """An address that may be fetched. Raises ProblemError 403."""
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isascii() and url.isprintable() else None
        plain = (
            parts is not None
            and parts.scheme == "https"
            and parts.port in (None, 443)
            and parts.username is None
            and parts.password is None
            and _HOST.fullmatch(parts.hostname or "") is not None
            and parts.path.endswith(ends)
            and not set(url) & set(" \\")
        )
    except ValueError:
        plain = False
    if not plain:
        raise _refused(f"{field} is no https address of sns.<region>.amazonaws.com.", field=field)
    return str(url)


def fetch(url: str) -> bytes:
    """What is at a checked address. Raises ProblemError 503, so that SNS sends it again."""
    try:
        answer = _pool.request("GET", url, redirect=False, preload_content=False)
        try:
            body = answer.read(ANSWER_BYTES)
        finally:
            answer.release_conn()
    except urllib3.exceptions.HTTPError:
        raise _away("AWS does not answer.") from None
    if answer.status != 200:
        raise _away(f"AWS answered {answer.status}.")
    return bytes(body)


def _refused(why: str, field: str = "Signature") -> ProblemError:
    return ProblemError(Problem(403, "sns_refused", "Not from SNS", f"{why} Nothing was stored.", field=field))


def _away(why: str) -> ProblemError:
    title, headers = "AWS cannot be asked", {"Retry-After": "20"}
    detail = f"{why} Its certificate or subscription is needed; nothing was stored."
    return ProblemError(Problem(503, "sns_unavailable", title, detail, retryable=True, headers=headers))
