"""Who sends: API keys, and the rule for senders without one."""

import base64
import binascii
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs

from django.conf import settings

from ingest.api import known_keys
from ingest.api.known_keys import digest, forget
from ingest.api.problems import Problem, ProblemError
from ingest.api.sender import KEYLESS, Sender, require

__all__ = [
    "KEYLESS",
    "NOWHERE",
    "PREFIX",
    "SCOPES",
    "Elsewhere",
    "Sender",
    "authenticate",
    "authenticate_async",
    "credential",
    "digest",
    "forget",
    "in_url",
    "new_key",
    "require",
]

SCOPES: Final = ("ingest", "read", "admin")
PREFIX: Final = "qa_"


def new_key() -> str:
    """A key: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A key that a hook takes from another place than the headers, for vendors that can set none."""

    #: From `?key=`. URLs get into the logs of proxies, so it may not do more than send.
    in_url: str | None = None
    #: From the body. What is no key of ours there is taken for none: PagerDuty's clients must send something.
    in_body: str | None = None


NOWHERE: Final = Elsewhere()


def authenticate(headers: Mapping[str, str], *, peer: str | None, host: str, elsewhere: Elsewhere = NOWHERE) -> Sender:
    """The sender of a request; asks the database at most once in 5 s per key.

    `headers` by lower-case name; `peer` is the address at the other end of the connection, `host`
    the Host header. Raises ProblemError: 401, 403, or 503 when the database is away.
    """
    key = _shown(headers, elsewhere)
    if key is None:
        return _keyless(headers, peer, host)
    sender = _known(known_keys.find(key) if key.startswith(PREFIX) else None)
    return _allowed(sender, headers, elsewhere)


async def authenticate_async(
    headers: Mapping[str, str], *, peer: str | None, host: str, elsewhere: Elsewhere = NOWHERE
) -> Sender:
    """The same on an event loop."""
    key = _shown(headers, elsewhere)
    if key is None:
        return _keyless(headers, peer, host)
    sender = _known(await known_keys.find_async(key) if key.startswith(PREFIX) else None)
    return _allowed(sender, headers, elsewhere)


def in_url(query: str) -> Elsewhere:
    """The key that a URL's query carries as `key`."""
    try:
        named = parse_qs(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return NOWHERE
    return Elsewhere(in_url=named["key"][-1].strip()) if "key" in named else NOWHERE


def _shown(headers: Mapping[str, str], elsewhere: Elsewhere) -> str | None:
    if (key := credential(headers)) is not None:
        return key
    if elsewhere.in_url is not None:
        return elsewhere.in_url
    in_body = elsewhere.in_body
    return in_body if in_body is not None and in_body.startswith(PREFIX) else None


def _allowed(sender: Sender, headers: Mapping[str, str], elsewhere: Elsewhere) -> Sender:
    if elsewhere.in_url is not None and credential(headers) is None and sender.scopes != {"ingest"}:
        detail = (
            f"A key in a URL may have the scope ingest alone; {sender.name} has {', '.join(sorted(sender.scopes))}."
        )
        raise ProblemError(Problem(403, "forbidden_scope", "Not allowed", detail, scope="ingest"))
    return sender


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


@lru_cache(maxsize=1000)
def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _known(sender: Sender | None) -> Sender:
    if sender is None:
        raise _unauthenticated("The key is unknown, expired or revoked.")
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
