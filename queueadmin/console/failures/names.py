"""What a row of the index calls its job: the id itself, or a name for one that no row can hold.

A stock client's id may be any string. A column that is unique holds 255 characters, and PostgreSQL keeps no NUL; so of
another one the row has the beginning and its SHA-256 as the name, and the id itself, as JSON, beside it.
"""

import hashlib
import json
from typing import Final

#: Characters of a name.
LONGEST: Final = 255
#: Of those, what tells people which one it is.
_SHOWN: Final = 180
#: An id that has this is named as well, so that no id is another one's name.
_MARK: Final = "…sha256:"
_NUL: Final = "\0"


def name_of(job_id: str) -> str:
    if len(job_id) <= LONGEST and _NUL not in job_id and _MARK not in job_id:
        return job_id
    shown = job_id[:_SHOWN].replace(_NUL, "\ufffd")
    return f"{shown}{_MARK}{hashlib.sha256(job_id.encode()).hexdigest()}"


def whole_id(job_id: str) -> str:
    """What a row has beside the name: "" where that is the id."""
    return "" if name_of(job_id) == job_id else json.dumps(job_id)


def id_of(name: str, whole: str) -> str:
    return str(json.loads(whole)) if whole else name
