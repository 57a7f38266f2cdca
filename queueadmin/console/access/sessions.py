"""Where somebody is signed in, and signing out there."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

#: What a session keeps about its beginning, beside what Django keeps.
_SINCE: Final = "signed_in_at"
_ADDRESS: Final = "signed_in_from"
_AGENT: Final = "signed_in_by"
#: Characters of what a browser calls itself.
_AGENT_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class SignedIn:
    #: Names it on the page; the session's own key would open it.
    id: str
    here: bool
    since: datetime | None
    expires: datetime
    address: str
    browser: str


def note_beginning(sender: Any, request: HttpRequest | None, **_: Any) -> None:
    """A receiver of `user_logged_in`: when, from where and by what this session began."""
    if request is None:
        return
    request.session[_SINCE] = timezone.now().isoformat()
    request.session[_ADDRESS] = request.META.get("REMOTE_ADDR") or ""
    request.session[_AGENT] = request.headers.get("User-Agent", "")[:_AGENT_LENGTH]


def of_user(user: User, here: str | None) -> list[SignedIn]:
    """This browser's first, then the newest; `here`: the session that asks."""
    found = [_shown(session, data, here) for session, data in _sessions(user)]
    return sorted(found, key=lambda each: (not each.here, -(each.since or each.expires).timestamp()))


def end(user: User, here: str | None, identity: str = "") -> int:
    """Sign out there, or with no `identity` everywhere but here; how many ended. Their sockets end with them."""
    ended = 0
    for session, _ in _sessions(user):
        mine = session.session_key == here
        if identity == _identity(session.session_key) or (not identity and not mine):
            session.delete()
            ended += 1
    return ended


def _sessions(user: User) -> Iterator[tuple[Session, dict[str, Any]]]:
    # Each holds its user encoded, so all are read: a few hundred where a few dozen people sign in.
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        data = session.get_decoded()
        if data.get(SESSION_KEY) == str(user.pk):
            yield session, data


def _shown(session: Session, data: dict[str, Any], here: str | None) -> SignedIn:
    return SignedIn(
        id=_identity(session.session_key),
        here=session.session_key == here,
        since=parse_datetime(data.get(_SINCE, "")),
        expires=session.expire_date,
        address=data.get(_ADDRESS, ""),
        browser=browser_name(data.get(_AGENT, "")),
    )


def _identity(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()[:16]


#: The first that a browser's name for itself holds; Chrome calls itself Safari too, and Edge both.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def browser_name(agent: str) -> str:
    """Such as Firefox on Linux; what is none of these stays as it called itself."""
    name = next((name for mark, name in _BROWSERS if f"{mark}/" in agent or f"{mark}iOS/" in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{name} on {system}" if name and system else name or agent[:60]
