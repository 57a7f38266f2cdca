"""Who types, and what a terminal may be shown."""

import os
import pwd
import unicodedata
from argparse import ArgumentTypeError


def actor() -> str:
    """For the audit log: `cli:` and the name of the user who runs this process."""
    number = os.getuid()
    try:
        return f"cli:{pwd.getpwuid(number).pw_name}"
    except KeyError:  # a container's user has no name
        return f"cli:{number}"


def typed(value: str) -> str:
    """An argument's type: what a person wrote, for a database or Redis to hold.

    Raises ArgumentTypeError for bytes that a terminal sent and no encoding knows.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError("must be text; this has a character that no text has.") from None
    return value


def one_line(text: str, width: int) -> str:
    """The text in a cell of so many characters. What senders wrote may move no cursor and colour no line."""
    plain = "".join(" " if unicodedata.category(character).startswith(("C", "Z")) else character for character in text)
    plain = " ".join(plain.split())
    return plain if len(plain) <= width else f"{plain[: width - 1]}…"
