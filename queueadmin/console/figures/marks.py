"""What stands on the charts as a line: deploys, and what people did to the queues.

Kept in Redis, a thousand for as long as the history's rows; a mark tells no more than the audit log does.
"""

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
import redis

from ingest.queue import keys
from queueadmin.console.figures.history import LONGEST
from queueadmin.console.models import AuditEntry

What = Literal["deploy", "operator"]
#: Marks that are kept.
MOST: Final = 1_000
#: Characters of one's words.
LENGTH: Final = 100


@dataclass(frozen=True, slots=True)
class Mark:
    #: Unix time.
    at: float
    text: str
    what: What = "deploy"


#: What people did that bends a curve, as the audit log names it, and how a chart says it.
_BENDS: Final = {
    "pause": "paused",
    "resume": "resumed",
    "empty": "emptied",
    "retry_all": "retried dead letters",
    "start_retry": "began a replay",
    "recover_stalled": "recovered stalled",
}
#: The newest entries of the audit log that are looked through.
_ENTRIES: Final = 2_000

_DECODER: Final = msgspec.json.Decoder(Mark)


def add(client: redis.Redis, mark: Mark) -> None:
    """The same again changes nothing. Raises redis.RedisError."""
    pipe = client.pipeline(transaction=True)
    pipe.zadd(keys.MARKS, {msgspec.json.encode(mark): mark.at})
    pipe.zremrangebyscore(keys.MARKS, "-inf", time.time() - LONGEST)
    pipe.zremrangebyrank(keys.MARKS, 0, -MOST - 1)
    pipe.execute()


def since(client: redis.Redis, at: float) -> list[dict[str, Any]]:
    """The oldest first. Raises redis.RedisError."""
    found: list[bytes] = client.zrangebyscore(keys.MARKS, at, "+inf")  # type: ignore[assignment]
    return [asdict(_DECODER.decode(each)) for each in found]


def of_people(at: float) -> list[dict[str, Any]]:
    """What people did since, out of the audit log, the oldest first. Raises DatabaseError."""
    newest = AuditEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    entries = AuditEntry.objects.filter(
        id__gt=newest - _ENTRIES,
        at__gte=datetime.fromtimestamp(at, UTC),
        step=AuditEntry.Step.OUTCOME,
        action__in=_BENDS,
    ).order_by("id")
    return [asdict(_of_person(entry)) for entry in entries]


def _of_person(entry: AuditEntry) -> Mark:
    target = entry.target if entry.action in {"pause", "resume", "empty"} else ""
    words = f"{entry.actor} {_BENDS[entry.action]} {target}".strip()
    return Mark(entry.at.timestamp(), words[:LENGTH], "operator")
