"""Signatures as the Standard Webhooks specification has them, so that its libraries check ours.

The key is CALLBACK_SECRET, else derived from SECRET_KEY; `manage.py callback_secret` shows it.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

#: In front of a key, so that scanners find one where it should not be.
PREFIX: Final = "whsec_"


def signing_keys() -> list[bytes]:
    """The keys to sign with: several while one replaces another."""
    if settings.CALLBACK_SECRET:
        return [key_of(secret) for secret in settings.CALLBACK_SECRET]
    return [salted_hmac("queueadmin.callbacks", b"v1", algorithm="sha256").digest()]


def key_of(secret: str) -> bytes:
    """The key that a secret of the form whsec_<base64> holds. Raises ValueError, without the secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("is not base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError(f"must hold 24 to 64 bytes, not {len(key)}")
    return key


def secret_of(key: bytes) -> str:
    """The key as receivers are given it."""
    return PREFIX + base64.b64encode(key).decode()


def headers(callback_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of the specification. The id stays the same in every try, the timestamp does not."""
    signed = b"%b.%d.%b" % (callback_id.encode(), timestamp, body)
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in signing_keys())
    return {
        "webhook-id": callback_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
