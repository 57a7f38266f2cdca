"""Who sends: API keys, and the rule for senders without one."""

import base64
import binascii
import hashlib
import ipaddress
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError

from ingest.api.problems import Problem, ProblemError
from ingest.models import ApiKey

SCOPES: Final = ("ingest", "read", "admin")
PREFIX: Final = "qa_"

#: A revoked key stops working within this many seconds.
FRESH_SECONDS: Final = 5.0
#: While the database cannot be asked, and so nobody can revoke a key either, the last answer holds this long.
STALE_SECONDS: Final = 600.0
#: Answers kept, those about unknown keys included: about 3 MB.
_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a request comes from, and what it may do."""

    name: str
    scopes: frozenset[str]
    #: None for a sender without a key.
    key_id: int | None
    #: When not empty, these win over what the event says.
    tenant: str = ""
    source: str = ""


#: Taking in and reading are open to it; operating never is.
KEYLESS: Final = Sender("local", frozenset({"ingest", "read"}), None)


@dataclass(frozen=True, slots=True)
class _Answer:
    sender: Sender | None
    asked_at: float


_answers: dict[str, _Answer] = {}


def new_key() -> str:
    """A key: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """What is kept of a key: SHA-256 in hex. With 256 random bits a slow hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def authenticate(headers: Mapping[str, str], *, peer: str | None, host: str) -> Sender:
    """The sender of a request; asks the database at most once in 5 s per key.

    `headers` by lower-case name; `peer` is the address at the other end of the connection, `host`
    the Host header. Raises ProblemError: 401, or 503 when the database is away.
    """
    key = credential(headers)
    if key is None:
        return _keyless(headers, peer, host)
    found = _fresh(key)
    return _known((found if found is not None else _ask(key)).sender)


async def authenticate_async(headers: Mapping[str, str], *, peer: str | None, host: str) -> Sender:
    """The same on an event loop: the database is asked in a thread."""
    key = credential(headers)
    if key is None:
        return _keyless(headers, peer, host)
    found = _fresh(key)
    return _known((found if found is not None else await database_sync_to_async(_ask)(key)).sender)


def require(sender: Sender, scope: str) -> None:
    """Raises ProblemError 403 when the sender may not do this."""
    if scope not in sender.scopes:
        raise ProblemError(
            Problem(
                403,
                "forbidden_scope",
                "Not allowed",
                f"This needs a key with the scope {scope}; {sender.name} has {', '.join(sorted(sender.scopes))}.",
                scope=scope,
            )
        )


def forget() -> None:
    """Drop every kept answer."""
    _answers.clear()


def credential(headers: Mapping[str, str]) -> str | None:
    """The key that a request carries: Bearer, X-API-KEY, or Basic with user `api_key`; None without any.

    Raises ProblemError 401 for an Authorization header that is none of these: a sender that means to
    show a key must not be taken for one without.
    """
    if (shown := headers.get("x-api-key")) is not None:
        return shown.strip()
    if (authorization := headers.get("authorization")) is None:
        return None
    scheme, _, value = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise _unauthenticated("The Basic credentials cannot be read.") from None
            if user == "api_key":
                return password
            raise _unauthenticated("Basic needs the user api_key, with the key as password.")
    raise _unauthenticated("Authorization must be Bearer with a key, or Basic with the user api_key.")


def _keyless(headers: Mapping[str, str], peer: str | None, host: str) -> Sender:
    if settings.PROD or settings.INGEST_REQUIRE_KEY:
        raise _unauthenticated("A key is needed.")
    if not (_is_loopback(peer or "") and _is_loopback(_host_name(host))):
        raise _unauthenticated("A key is needed: only this machine itself may send without one.")
    for name in headers:
        # A proxy's header means that the peer is not the sender; Origin means a page in a browser.
        if name in {"forwarded", "via", "origin"} or name.startswith("x-forwarded-"):
            raise _unauthenticated(f"A key is needed: the request has the header {name[:50]}.")
    return KEYLESS


def _host_name(host: str) -> str:
    """`[::1]:8000` → `::1`, `localhost:8000` → `localhost`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _fresh(key: str) -> _Answer | None:
    """The kept answer, unless it is too old."""
    found = _answers.get(digest(key))
    return found if found is not None and time.monotonic() - found.asked_at < FRESH_SECONDS else None


def _ask(key: str) -> _Answer:
    """Ask the database, and keep the answer."""
    hashed = digest(key)
    now = time.monotonic()
    try:
        row = ApiKey.objects.filter(digest=hashed, revoked_at=None).first() if key.startswith(PREFIX) else None
    except DatabaseError:
        kept = _answers.get(hashed)
        if kept is not None and now - kept.asked_at < STALE_SECONDS:
            return kept
        raise ProblemError(
            Problem(
                503,
                "keys_unavailable",
                "Keys cannot be checked",
                "The database that knows the keys does not answer.",
                retryable=True,
                headers={"Retry-After": "5"},
            )
        ) from None
    sender = Sender(row.name, frozenset(row.scopes.split(",")), row.pk) if row is not None else None
    answer = _Answer(sender, now)
    if len(_answers) >= _KEPT:
        # Guessed keys must not push out the known ones.
        for unknown in [kept for kept, about in _answers.items() if about.sender is None]:
            _answers.pop(unknown, None)
    _answers[hashed] = answer
    return answer


def _known(sender: Sender | None) -> Sender:
    if sender is None:
        raise _unauthenticated("The key is unknown or revoked.")
    return sender


def _unauthenticated(detail: str) -> ProblemError:
    return ProblemError(
        Problem(
            401,
            "unauthenticated",
            "Who are you?",
            detail,
            headers={"WWW-Authenticate": 'Bearer realm="queueadmin"'},
        )
    )
