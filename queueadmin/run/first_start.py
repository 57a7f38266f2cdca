"""What a home needs before anything can run on it: rows, files to serve, an administrator."""

import hashlib
import inspect
import os
import secrets
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.contrib.staticfiles.finders import get_finders
from django.core import checks
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError
from django.utils.module_loading import import_string

from queueadmin.run.errors import CannotStart

ADMIN = "admin"
PASSWORD_VARIABLE = "QUEUEADMIN_ADMIN_PASSWORD"  # noqa: S105 - a variable's name
#: Tags of checks. Those of databases Django itself leaves out, where none is named.
_LEFT_OUT: Final = {checks.Tags.admin, checks.Tags.templates, checks.Tags.urls, checks.Tags.database}
#: Beside the collected files: the digest of what they were made of.
_COLLECTED: Final = ".collected"


def check_settings() -> list[str]:
    """Run the system checks but those of URLs, templates and Django's admin; return the warnings.

    Those find mistakes in code, not in what is set (`make check` runs them), and load all pages, which this process
    never serves: 0.7 s of a core, and 40 MB for as long as the instance runs.

    Raises CannotStart with every error.
    """
    chosen = [check for check in checks.registry.registry.get_checks() if _LEFT_OUT.isdisjoint(check.tags)]
    found = [message for check in chosen for message in check(app_configs=None, databases=None)]
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
    """Hashing and compressing all files takes seconds, so it is left out while none of them has changed."""
    mark = Path(settings.STATIC_ROOT) / _COLLECTED
    sources = _sources()
    with suppress(OSError):
        if mark.read_text() == sources:
            return
    mark.unlink(missing_ok=True)  # should it end in the middle
    call_command("collectstatic", verbosity=0, interactive=False)
    mark.write_text(sources)


def _sources() -> str:
    """A digest of every file that is collected, by name, size and time, and of what stores them."""
    digest = hashlib.sha256(f"{django.__version__} {version('whitenoise')} {settings.STORAGES}".encode())
    digest.update(Path(inspect.getfile(import_string(settings.STORAGES["staticfiles"]["BACKEND"]))).read_bytes())
    for finder in get_finders():
        for name, storage in finder.list([]):
            known = Path(storage.path(name)).stat()
            digest.update(f"{name} {known.st_size} {known.st_mtime_ns}\n".encode())
    return digest.hexdigest()


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
