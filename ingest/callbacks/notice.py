"""What a callback tells, from the line that the scripts left in the outbox. Pure.

It holds no payload and no credentials (D11): the result and the error's text are masked.
"""

import base64
from typing import Any, Final

import msgspec

from ingest.credentials import masked, masked_text

#: Bytes of a result, as JSON, that are told; a larger one is to be asked for.
RESULT_BYTES: Final = 64 * 1024
_ENCODED_BYTES: Final = (RESULT_BYTES + 2) // 3 * 4
#: The execution that is going on, or just ended well, is not counted in the job's hash yet.
_RUNS: Final = frozenset({"started", "finished"})


class Unreadable(Exception):
    """This line is none that a script wrote."""


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""
    reason: str = ""


class Line(msgspec.Struct, frozen=True):
    """A line of the outbox: a job with a callback went into another state."""

    event: str
    #: The job's.
    id: str
    at: str
    queue: str
    #: A URL, or a dotted path.
    callback: str
    kind: str = ""
    source: str = ""
    tenant: str = ""
    event_id: str | None = None
    #: Executions that ended in a failure. Lua has one kind of number.
    attempts: float = 0
    error: _Error | None = None
    #: Base64 of JSON.
    result: str | None = None


_LINE: Final = msgspec.json.Decoder(Line)


def read(line: bytes) -> Line:
    """Raises Unreadable."""
    try:
        return _LINE.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None


def notice(line: Line) -> dict[str, Any]:
    """The body of the callback, in the contract's words."""
    error = line.error
    return {
        "event": line.event,
        "at": line.at,
        "job": {
            "id": line.id,
            "event_id": line.event_id,
            "kind": line.kind or None,
            "source": line.source or None,
            "tenant": line.tenant or None,
            "state": line.event,
            "queue": line.queue,
            "priority": line.queue,
            "attempts": int(line.attempts) + (line.event in _RUNS),
        },
        "result": _result(line.result),
        "error": error and {
            "type": error.type or None,
            "message": masked_text(error.message) or None,
            "reason": error.reason or None,
        },
    }  # fmt: skip


def _result(given: str | None) -> Any:
    if not given or len(given) > _ENCODED_BYTES:
        return None
    try:
        return masked(msgspec.json.decode(base64.b64decode(given)))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
