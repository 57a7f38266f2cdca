"""What may be a credential, by its name or its form, and the same thing without it (D11). Pure.

Masking too much hides little: an event's own bytes are an API call with its own right away.
"""

import json
import re
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

#: Stands where a credential stood.
COVER: Final = "•••"

#: Characters of a credential that is looked for by itself: a shorter one stands in too many words.
SHORTEST: Final = 6

#: A field whose name holds one of these holds a credential.
_NAME: Final = re.compile(
    r"authori[sz]ation|passw|passphrase|secret|token|credential|cookie|session|signature"
    r"|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|routing[-_ ]?key|service[-_ ]?key|^pwd$|^auth$|^key$",
    re.IGNORECASE,
)
_WORD: Final = r"[\w.-]{0,40}(?:token|secret|passw\w{0,10}|api[-_]?key)[\w.-]{0,40}"
_VALUE: Final = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&,;)}\]"']+)"""
#: Credentials inside other texts: user:password@ of an address, ?token= of a query, "Bearer …", and a name with its
#: value as code prints it. The bounds on names keep the time linear in the length of a text that others wrote.
IN_TEXT: Final = re.compile(
    r"(?P<address>(?<=://)[^/\s:@]+:[^/\s@]+(?=@))"
    r"|(?P<query>(?<=[?&])(?:[\w.-]*(?:token|secret|passw\w*|key|signature|sig|auth)=)(?P<value>[^&\s\"'#]+))"
    r"|(?P<bearer>\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,})"
    rf"|(?P<assigned>(?:\b{_WORD}=|(?P<quote>[\"']){_WORD}(?P=quote)\s?:\s?))(?P<given>{_VALUE})",
    re.IGNORECASE,
)


#: What every match of IN_TEXT has somewhere: most texts have nothing of it, and this tells in a tenth of the time.
_MAY_HOLD: Final = re.compile(r"[=:]|\b(?:Bearer|Basic)\s", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether a field of this name holds a credential."""
    return _NAME.search(name) is not None


def masked_text(text: str) -> str:
    """A text for people, such as an error message, without the credentials inside it."""
    return IN_TEXT.sub(cover, text) if _MAY_HOLD.search(text) else text


def cover(found: re.Match[str]) -> str:
    """What stands in the place of a match of IN_TEXT."""
    if found["query"]:
        return found["query"].removesuffix(found["value"]) + COVER
    if found["assigned"]:
        return found["assigned"] + COVER
    return f"{found['bearer'].split()[0]} {COVER}" if found["bearer"] else COVER


def masked(value: Any, *, secret: bool = False) -> Any:
    """A JSON value without its credentials; a secret object or list masks every value in it."""
    if isinstance(value, dict):
        return {name: masked(item, secret=secret or is_secret(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item, secret=secret) for item in value]
    if secret and value not in (None, "") and not isinstance(value, bool):
        return COVER
    return masked_text(value) if isinstance(value, str) else value


def concealed(value: Any, secret: str) -> Any:
    """A JSON value without this credential, wherever it stands in it; what is no JSON value stays."""
    if len(secret) < SHORTEST:
        return value
    if isinstance(value, str):
        return _covered(value, secret)
    if isinstance(value, dict):
        return {concealed(name, secret): concealed(item, secret) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [concealed(item, secret) for item in value]
    return value


def conceal(error: BaseException, secret: str) -> None:
    """Have this credential left out of what is kept of an error: `without_concealed` does."""
    if len(secret) >= SHORTEST:
        with suppress(AttributeError, TypeError):  # an exception may have no room for it
            error.concealed = (*getattr(error, "concealed", ()), secret)  # type: ignore[attr-defined]


def without_concealed(text: str, error: BaseException) -> str:
    """A text about an error, such as its traceback, without the credentials that `conceal` named."""
    for secret in getattr(error, "concealed", ()):
        text = _covered(text, secret)
    return text


def _covered(text: str, secret: str) -> str:
    """Also as an address or JSON writes it."""
    for form in {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}:
        text = text.replace(form, COVER)
    return text
