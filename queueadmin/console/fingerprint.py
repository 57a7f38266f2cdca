"""Which failures are the same: the exception's type, its message without what differs from job to job, and the frames
of the application's code that it came through. Pure.
"""

import hashlib
import re
from functools import lru_cache
from itertools import pairwise
from typing import Final

from ingest.frames import NONE

#: Characters of a message that are looked at, and of its normal form that count.
_READ: Final = 1000
_COUNTED: Final = 300

#: Top-level names by which a dotted name is told from a module's or a file's.
_TOP: Final = (
    r"com|net|org|io|dev|app|cloud|ai|co|eu|de|uk|fr|nl|ch|at|es|it|pl|se|no|us|ca|au|in|jp|cn|br|info|biz|gov|edu"
    r"|local|localdomain|localhost|internal|intern|lan|home|corp|svc|test|example|invalid|arpa"
)
_FILE: Final = r"[\w@%+~=-]+(?:\.[\w@%+~=-]+)*"

#: Quoted texts, and values as PostgreSQL names them: (email)=(…).
_TEXT: Final = re.compile(
    r"""(?P<text>(?<![\w'])[bBrRuU]?'(?:[^'\\\n]|\\.|(?<=\w)'(?=\w))*+'(?!\w)
        |(?<![\w"])[bBrRuU]?"(?:[^"\\\n]|\\.)*+"
        |`[^`\n]*+`|«[^»\n]*+»|“[^”\n]*+”|‘[^’\n]*+’)
      |(?P<value>(?<=\)=\()[^()\n]*+(?=\)))
      |(?P<time>\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?\ (?=[A-Z\d])
        |\b\d{1,2}\ (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b(?:\ \d{4}\b)?
        |\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\ {1,2}\d{1,2}\b)
    """,
    re.VERBOSE,
)
#: A word without any of this has nothing that differs; most words are such, and this is what makes it quick.
_SUSPECT: Final = re.compile(r"[\d@/\\:]|\.\w|localhost")
#: What differs within a word, the first that matches at a place counts.
_VARIABLE: Final = re.compile(
    rf"""
      (?P<url>\b[a-zA-Z][a-zA-Z0-9+.-]{{1,20}}://[^"'<>)\]}}]++)
    | (?P<email>(?<![\w.+-])[\w.+-]{{1,64}}@[\w-]++(?:\.[\w-]++)+)
    | (?P<id>\b[0-9a-fA-F]{{8}}-(?:[0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}}\b
        |\b0[xX][0-9a-fA-F]++\b
        |(?<=-)[0-9a-f]{{8,10}}-[0-9a-z]{{5}}\b
        |\b[a-z]{{2,8}}_(?:live_|test_)?(?=[A-Za-z]*+\d)[A-Za-z0-9]{{8,}}+\b
        |\b(?=[a-fA-F]*+\d)(?=\d*+[a-fA-F])[0-9a-fA-F]{{8,}}+\b
        |\b(?=\w*[A-Za-z])(?=[A-Za-z_]*+\d+\w*[A-Za-z_]\w*\d)\w{{20,}}+\b)
    | (?P<time>\b\d{{4}}-\d{{2}}-\d{{2}}(?:T\d{{2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d++)?)?(?:Z|[+-]\d{{2}}:?\d{{2}})?)?\b
        |\b\d{{1,2}}:\d{{2}}:\d{{2}}(?:[.,]\d++)?(?:Z|[+-]\d{{2}}:?\d{{2}})?\b)
    | (?P<host>\[?(?<![\w:])(?=[a-fA-F:]*+\d)(?:[0-9a-fA-F]{{0,4}}:){{2,7}}[0-9a-fA-F]{{0,4}}(?:%\w++)?
            \]?(?::\d{{1,5}})?(?![\w:])
        |(?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:/\d{{1,2}})?(?::\d{{1,5}})?(?![\w.]*\w)
        |(?<![\w.-])(?:[\w-]{{1,63}}\.){{1,10}}(?:{_TOP})\.?(?::\d{{1,5}})?(?![\w.]*\w)
        |(?<![\w.-])(?=[\w-]*[a-zA-Z])[\w-]{{1,63}}(?:(?:\.[\w-]{{1,63}}){{1,10}}:\d{{2,5}}|:(?:80|443|\d{{4,5}}))(?![\w.:]*\w)
        |\blocalhost\b)
    | (?P<path>(?<![\w<])[a-zA-Z]:\\[^"'<>|:]++
        |(?<![\w<>/.])(?:~|\.{{1,2}})?(?:/{_FILE})++/?
        |(?<![\w<>/.])(?:[\w.-]++/)++[\w.-]*\.\w{{1,5}}\b)
    | (?P<number>(?<![\w.])[-+]?(?:\d++(?:[.,]\d++)*+)(?:[eE][-+]?\d++)?|\d++)
    """,
    re.VERBOSE,
)
_NOISE: Final = re.compile(r"[\s\x00-\x1f\x7f]+")
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
#: A list of values counts as one of them, however long.
_REPEATED: Final = re.compile(r"(<\w+>)(?:(?:,\ ?|;\ ?|\ )\1)+")
_PAIRS: Final = re.compile(r"(<\w+>: <\w+>)(?:, <\w+>: <\w+>)+")
_STATUS: Final = re.compile(r"(?:status|status_code|code|HTTP)[=:]\d{3}[,.;)]?", re.IGNORECASE)
_CODE: Final = re.compile(r"\d{3}[,.;:)]?")
_BEFORE_CODE: Final = re.compile(r"HTTP(?:/\d(?:\.\d)?)?|(?:status|code):?", re.IGNORECASE)


def group_of(error_type: str, message: str, frames: str = "") -> str:
    """The id of the failures like this one: 12 hexadecimal digits, the same everywhere and for ever.

    `frames` as `ingest.frames` writes them; without any, type and message say it alone.
    """
    return _group(error_type.rpartition(".")[2], message[:_READ], "" if frames == NONE else frames)


@lru_cache(maxsize=4096)
def _group(name: str, message: str, frames: str) -> str:
    text = f"{name}\n{normalised(message)}" + (f"\n{frames}" if frames else "")
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]


def normalised(message: str) -> str:
    """The message with <number>, <host> and so on where jobs differ.

    Folded are quoted texts, addresses, e-mail addresses, ids, times, hosts, paths and numbers.
    """
    text = _NOISE.sub(" ", _ANSI.sub("", message[:_READ])).strip()
    words = _TEXT.sub(_folded, text).split(" ")
    text = " ".join(_word(before, word) if _SUSPECT.search(word) else word for before, word in pairwise(["", *words]))
    return _REPEATED.sub(r"\1", _PAIRS.sub(r"\1", text))[:_COUNTED]


def _word(before: str, word: str) -> str:
    """A word with what differs folded; an answer's status stays, since it tells what went wrong."""
    if _STATUS.fullmatch(word) or (_CODE.fullmatch(word) and _BEFORE_CODE.fullmatch(before)):
        return word
    return _VARIABLE.sub(_folded, word)


def _folded(found: re.Match[str]) -> str:
    return f"<{found.lastgroup}>"
