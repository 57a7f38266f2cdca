"""The names that events go by inside."""

import hashlib


def derived_id(kind: str, tenant: str, *identity: str) -> str:
    """Our id of an event, 128 bits, the same for every copy: by source and client's id, or as its kind tells copies."""
    # NUL parts them unmistakably: no text that was let in holds one.
    return hashlib.sha256("\0".join((kind, tenant, *identity)).encode()).hexdigest()[:32]


def user_digest(kind: str, tenant: str, user: str) -> str:
    """What a user's latest job is kept under."""
    return hashlib.sha256("\0".join((kind, tenant, user)).encode()).hexdigest()[:32]


def ordering_digest(kind: str, tenant: str, ordering_key: str) -> str:
    """What a spooled event is found by when a later one of its key comes."""
    return hashlib.sha256("\0".join((kind, tenant, ordering_key)).encode()).hexdigest()[:32]
