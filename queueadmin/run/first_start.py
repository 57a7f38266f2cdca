"""What a home needs before anything can run on it: rows, files to serve, an administrator."""

import os
import secrets

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core import checks
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError

from queueadmin.run.errors import CannotStart

ADMIN = "admin"
PASSWORD_VARIABLE = "QUEUEADMIN_ADMIN_PASSWORD"  # noqa: S105 - a variable's name


def check_settings() -> list[str]:
    """Run the system checks; return the warnings.

    Raises CannotStart with every error.
    """
    found = checks.run_checks()
    errors = [str(message.msg) for message in found if message.is_serious()]
    if errors:
        raise CannotStart("\n".join(errors))
    return [str(message.msg) for message in found if message.level >= checks.WARNING]


def prepare_database() -> None:
    """Raises CannotStart when the database cannot be reached or migrated."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as error:
        raise CannotStart(f"The database cannot be prepared: {str(error).strip()}.") from error


def collect_static() -> None:
    call_command("collectstatic", verbosity=0, interactive=False)


def take_given_password() -> str | None:
    """The password of QUEUEADMIN_ADMIN_PASSWORD, which is then gone from the environment.

    Raises CannotStart when it is too weak.
    """
    password = os.environ.pop(PASSWORD_VARIABLE, None)
    if password is None:
        return None
    try:
        validate_password(password)
    except ValidationError as error:
        raise CannotStart(f"{PASSWORD_VARIABLE} is refused: {' '.join(error.messages)}") from None
    return password


def ensure_admin(password: str | None) -> bool:
    """Make sure that the user `admin` exists, with `password` where it has none yet.

    Return whether it still needs a password. An existing password is never changed.
    """
    user, created = get_user_model().objects.get_or_create(
        username=ADMIN, defaults={"is_staff": True, "is_superuser": True}
    )
    if not created and user.has_usable_password():
        return False
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    user.save(update_fields=["password"])
    return password is None


def give_one_time_password() -> str:
    """Set a random password for `admin` and return it: the only time that anybody sees it."""
    password = secrets.token_urlsafe(12)
    user = get_user_model().objects.get(username=ADMIN)
    user.set_password(password)
    user.save(update_fields=["password"])
    return password
