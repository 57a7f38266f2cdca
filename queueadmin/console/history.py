"""The last 15 minutes, one row a second, in a Redis list: what a page draws before the first frame."""

import json
from typing import Final

import redis
from django.conf import settings

from ingest.queue import keys
from queueadmin.console.snapshot import Snapshot

#: Seconds between rows.
STEP: Final = 1
#: 15 minutes; about 150 bytes a row.
ROWS: Final = 900


def columns() -> list[str]:
    """What stands where in a row. Depths are under the queues' names."""
    names = list(settings.PRIORITIES)
    waits = [f"wait_{name}" for name in names]
    totals = ["started", "in_rate", "out_rate", "dead_per_minute", "failed", "busy", "oldest_wait"]
    # New ones at the end: rows of before an update have fewer.
    return ["at", *names, *totals, *waits, "spool"]


def row(snapshot: Snapshot) -> list[float]:
    totals = snapshot.totals
    return [
        round(snapshot.at, 1),
        *(q.depth for q in snapshot.queues),
        totals.started,
        totals.in_rate,
        totals.out_rate,
        totals.dead_per_minute,
        totals.failed,
        snapshot.workers.busy,
        totals.oldest_wait.seconds if totals.oldest_wait else 0,
        *(q.oldest_wait for q in snapshot.queues),
        snapshot.spool.count,
    ]


def write(client: redis.Redis, snapshot: Snapshot) -> None:
    """Keep the snapshot as the latest and as one row. Raises redis.RedisError."""
    pipe = client.pipeline(transaction=True)
    pipe.set(keys.SNAPSHOT, snapshot.as_json())
    pipe.rpush(keys.HISTORY, json.dumps(row(snapshot), separators=(",", ":")))
    pipe.ltrim(keys.HISTORY, -ROWS, -1)
    pipe.execute()


def frame(client: redis.Redis | None) -> str:
    """The socket's first frame. The rows are joined as they are, none is parsed; empty while Redis is away, or None."""
    try:
        rows = client.lrange(keys.HISTORY, 0, -1) if client else []
    except redis.RedisError:
        rows = []
    head = json.dumps({"type": "history", "step": STEP, "columns": columns()})
    return f'{head[:-1]},"rows":[{",".join(map(_text, rows))}]}}'


def _text(text: bytes | str) -> str:
    return text.decode() if isinstance(text, bytes) else text
