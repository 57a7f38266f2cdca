"""Values of environment variables, by kind. A wrong one raises ImproperlyConfigured, in a sentence that names it."""

import os
from typing import Final

from django.core.exceptions import ImproperlyConfigured

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


def text(name: str, default: str = "", *aliases: str) -> str:
    """Of the first of its names that is set."""
    for key in (name, *aliases):
        if key in os.environ:
            return os.environ[key]
    return default


def flag(name: str, default: bool) -> bool:
    value = text(name, "1" if default else "0").strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def number(name: str, default: int, *aliases: str, least: int = 0, most: int = 2**31 - 1) -> int:
    said = text(name, str(default), *aliases)
    try:
        value = int(said)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {said!r}.") from None
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} must be between {least} and {most}, not {value}.")
    return value


def names(name: str) -> list[str]:
    """What stands between commas."""
    return [part.strip() for part in text(name).split(",") if part.strip()]
