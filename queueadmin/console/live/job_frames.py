"""What a socket is told about a followed job. One look, changes nothing."""

from datetime import datetime
from typing import Any, Final

import msgspec

from queueadmin.console import queries
from queueadmin.console.masking import masked_text

#: Of a job in the contract's shape; its times are Unix seconds here, as in every frame.
_FIELDS: Final = (
    "id", "state", "queue", "position", "ahead", "eta_seconds", "attempts", "attempts_left", "crashes", "progress",
    "started_at", "finished_at", "next_attempt_at", "stopping",
)  # fmt: skip


def frame(job_id: str) -> str:
    """{type: job, id, job, log}; job is null when nobody knows it. Raises redis.RedisError."""
    found = queries.job(job_id)
    shown: dict[str, Any] = {
        "type": "job",
        "id": job_id,
        "job": _shown(found),
        "log": queries.log(job_id) if queries.has_runs(found) else [],
    }
    return msgspec.json.encode(shown).decode()


def _shown(found: dict[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    error = found["error"]
    return {name: _value(found[name]) for name in _FIELDS} | {
        "error": error and {
            "type": error["type"],
            "message": masked_text(error["message"] or "") or None,
            "reason": error["reason"],
        }
    }  # fmt: skip


def _value(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value
