"""Who calls the console's API: somebody logged in, a key, or a program on this machine."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from ingest.api import keys
from ingest.api.problems import Problem, ProblemError
from queueadmin.console.permissions import AnyUser, can_administer, can_operate, can_read, can_reveal


@dataclass(frozen=True, slots=True)
class Caller:
    #: For the audit log: the user's name, or `key:` and the key's name.
    actor: str
    #: When not empty, other tenants' jobs do not exist for this caller.
    tenant: str = ""


class SessionUser(BaseAuthentication):
    """Django's user of the request, if any; the CSRF token is asked for by `operator` alone."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, None] | None:
        user = request._request.user
        return (user, None) if user.is_authenticated else None


def reader(request: Request) -> Caller:
    """The caller, when it may read. Raises ProblemError 401 or 403."""
    if (user := _user(request)) is not None:
        return user
    sender = _sender(request)
    if "admin" not in sender.scopes:
        keys.require(sender, "read")
    return _as_caller(sender)


def insider(request: Request) -> Caller:
    """The caller, when it may read what people did here: a session, or a key with scope admin.

    Raises ProblemError 401 or 403.
    """
    if (user := _user(request)) is not None:
        return user
    sender = _sender(request)
    keys.require(sender, "admin")
    return _as_caller(sender)


def operator(request: Request) -> Caller:
    """The caller, when it may operate: an operator's session with its CSRF token, or a key with scope admin.

    Raises ProblemError 401 or 403.
    """
    user = _user(request)
    if user is None:
        sender = _sender(request)
        keys.require(sender, "admin")
        return _as_caller(sender)
    try:
        SessionAuthentication().enforce_csrf(request)
    except PermissionDenied as error:
        raise ProblemError(
            Problem(403, "csrf_failed", "CSRF check failed", f"{error.detail} Send the page's token as X-CSRFToken.")
        ) from error
    if not can_operate(request.user):
        raise ProblemError(
            Problem(403, "forbidden_role", "Not allowed", f"{user.actor} may look; this needs the group operator.")
        )
    return user


def reader_or_operator(request: Request) -> Caller:
    """Whoever may do what the method says: looking, or changing something. Raises ProblemError 401 or 403."""
    return reader(request) if request.method in {"GET", "HEAD"} else operator(request)


def revealer(request: Request) -> Caller:
    """The caller, when it may see credentials: an admin's session with its CSRF token, or a key with scope admin.

    Raises ProblemError 401 or 403.
    """
    return _admin(request, can_reveal)


def administrator(request: Request) -> Caller:
    """The caller, when it may do what is for admins: an admin's session with its CSRF token, or a key with scope admin.

    Raises ProblemError 401 or 403.
    """
    return _admin(request, can_administer)


def _admin(request: Request, may: Callable[[AnyUser], bool]) -> Caller:
    caller = operator(request)
    if _user(request) is not None and not may(request.user):
        raise ProblemError(
            Problem(403, "forbidden_role", "Not allowed", f"{caller.actor} may operate; this needs the group admin.")
        )
    return caller


def _user(request: Request) -> Caller | None:
    """Whoever is logged in, unless the request shows a key: then the key counts."""
    if keys.credential(_headers(request)) is not None:
        return None
    user = request.user
    return Caller(user.get_username()) if user is not None and can_read(user) else None


def _sender(request: Request) -> keys.Sender:
    peer = request.META.get("REMOTE_ADDR")
    return keys.authenticate(_headers(request), peer=peer, host=request.META.get("HTTP_HOST", ""))


def _as_caller(sender: keys.Sender) -> Caller:
    return Caller(sender.name if sender.key_id is None else f"key:{sender.name}", sender.tenant)


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
