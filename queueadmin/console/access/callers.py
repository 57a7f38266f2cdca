"""Who calls the console's API: somebody logged in, a key, or a program on this machine."""

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from ingest.api import keys
from ingest.api.problems import Problem, ProblemError
from queueadmin.console.access.permissions import Permission, may, refusal


@dataclass(frozen=True, slots=True)
class Caller:
    #: For the audit log: the user's name, or `key:` and the key's name.
    actor: str
    #: When not empty, other tenants' jobs do not exist for this caller.
    tenant: str = ""


class SessionUser(BaseAuthentication):
    """Django's user of the request, if any; the CSRF token is asked for by `caller`."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, None] | None:
        user = request._request.user
        return (user, None) if user.is_authenticated else None


def caller(request: Request, permission: Permission) -> Caller:
    """Whoever asks, when that may be done by it: a session with the permission, for a change with its CSRF token, or
    a key with the permission's scope.

    Raises ProblemError 401 or 403, which names what is missing.
    """
    user = _user(request)
    if user is None:
        sender = _sender(request)
        if not (permission.scope == "read" and "admin" in sender.scopes):
            keys.require(sender, permission.scope)
        return Caller(sender.name if sender.key_id is None else f"key:{sender.name}", sender.tenant)
    if request.method not in SAFE_METHODS:
        try:
            SessionAuthentication().enforce_csrf(request)
        except PermissionDenied as error:
            sentence = f"{error.detail} Send the page's token as X-CSRFToken."
            raise ProblemError(Problem(403, "csrf_failed", "CSRF check failed", sentence)) from error
    if not may(request.user, permission):
        sentence = refusal(request.user, permission)
        problem = Problem(403, "forbidden_permission", "Not allowed", sentence, permission=permission.name)
        raise ProblemError(problem)
    return user


def _user(request: Request) -> Caller | None:
    """Whoever is logged in, unless the request shows a key: then the key counts."""
    if keys.credential(_headers(request)) is not None:
        return None
    user = request.user
    return Caller(user.get_username()) if user is not None and user.is_active else None


def _sender(request: Request) -> keys.Sender:
    peer = request.META.get("REMOTE_ADDR")
    return keys.authenticate(_headers(request), peer=peer, host=request.META.get("HTTP_HOST", ""))


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
