"""Which frames of a traceback are the application's: they tell two failures with one message apart. Pure.

The application's are all but Python's own, those of installed packages (site-packages, dist-packages), and this
project's rooms. One that is itself installed as a package has none.
"""

import re
import sysconfig
from pathlib import Path
from typing import Final

#: Innermost frames that count: a handler that calls the same client in two places fails in two ways.
MOST: Final = 3
#: Characters of all of them.
LENGTH: Final = 300
#: What a job's hash says when no frame is the application's; an empty text is one that nobody looked at.
NONE: Final = "-"
#: Characters at the end of a traceback that are looked at.
_READ: Final = 64 * 1024

_BEGINNING: Final = "Traceback (most recent call last):"
_FRAME: Final = re.compile(r'^\s*(?:\| )?\s*File "([^"\n]+)", line \d+, in (.+)$', re.MULTILINE)
_OTHERS: Final = re.compile(r"[/\\](?:site-packages|dist-packages)[/\\]|[/\\][Ll]ib[/\\]python\d|^<")
_SEPARATOR: Final = re.compile(r"[/\\]")
_ROOT: Final = Path(__file__).resolve().parent.parent
#: Where other code than the application's stands.
_PLACES: Final = (
    *("ingest/", "queueadmin/"),  # as tracebacks are shown
    *(f"{_ROOT}/{room}/" for room in ("ingest", "queueadmin", "manage.py", ".venv")),
    *(f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib")),
)


def ours(traceback: str) -> str:
    """The innermost frames of the application, the outer one first, such as `shop/orders.py:charge|shop/bank.py:ask`.

    Of the exception that was raised last, without lines and the folders above: another release has others. NONE: there
    is none.
    """
    _, _, last = traceback[-_READ:].rpartition(_BEGINNING)
    found: list[str] = []
    for path, name in _FRAME.findall(last):
        if _OTHERS.search(path) or path.startswith(_PLACES):
            continue
        place = "/".join(_SEPARATOR.split(path)[-2:])
        frame = f"{place}:{name.strip()}".replace("|", "/")
        if found[-1:] != [frame]:  # a recursion counts once
            found.append(frame)
    return "|".join(found[-MOST:])[-LENGTH:] or NONE


def apart(told: str) -> tuple[str, ...]:
    """The frames of such a text, the outer one first."""
    return tuple(told.split("|")) if told not in ("", NONE) else ()
