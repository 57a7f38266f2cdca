"""Who may look, who may act, who may decide about users.

Viewer, operator and admin are Django groups, made after each migrate; the rights are cumulative. The
first admin is a superuser, who may do all. Somebody who can log in but is in no group may look.
"""

from typing import Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

VIEWER: Final = "viewer"
OPERATOR: Final = "operator"
ADMIN: Final = "admin"
GROUPS: Final = (VIEWER, OPERATOR, ADMIN)

AnyUser = AbstractBaseUser | AnonymousUser


def can_read(user: AnyUser) -> bool:
    """May see pages, the live socket and what the API reads."""
    return user.is_authenticated and user.is_active


def can_operate(user: AnyUser) -> bool:
    """May retry, recover and send test events."""
    return _is_in(user, OPERATOR, ADMIN)


def can_reveal(user: AnyUser) -> bool:
    """May see the credentials in an event; each time is in the audit log."""
    return _is_in(user, ADMIN)


def can_administer(user: AnyUser) -> bool:
    """May manage users and keys."""
    return _is_in(user, ADMIN)


def _is_in(user: AnyUser, *groups: str) -> bool:
    if not isinstance(user, User) or not can_read(user):
        return False
    return user.is_superuser or user.groups.filter(name__in=groups).exists()
