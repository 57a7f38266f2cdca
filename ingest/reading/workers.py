"""What workers do with their time, as their hashes say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings

from ingest.queue import keys
from ingest.queue.connections import server_time
from ingest.reading.fields import moment, pipelined, text


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Of workers that are alive. A worker of stock RQ does not say how long it worked, and is counted only."""

    workers: int
    #: That run something now.
    busy: int
    #: The part of their lives in which they ran something, in percent; None: nobody says.
    utilisation: float | None


def utilisation(client: redis.Redis, task_type: str | None = None) -> Utilisation:
    """Of all workers, or of those that serve a task type and nothing else but its like. Raises redis.RedisError."""
    names = [text(key) for key in client.smembers(keys.WORKERS)]
    now = server_time(client).timestamp()
    found = [_decoded(each) for each in pipelined(client, "hgetall", names)]
    alive = [each for each in found if _is_alive(each, now) and (task_type is None or task_type in types_of(each))]
    worked = sum(_number(each.get(keys.WORKED, "")) for each in alive if keys.WORKED in each)
    lived = sum(_age(each, now) for each in alive if keys.WORKED in each)
    return Utilisation(
        workers=len(alive),
        busy=sum(each.get("state") == "busy" for each in alive),
        utilisation=round(min(100 * worked / lived, 100.0), 1) if lived > 0 else None,
    )


def types_of(worker: Mapping[str, str]) -> Sequence[str]:
    """The task types that it serves, and nothing else; none: all that have no workers of their own."""
    return [name for name in worker.get(keys.TYPES, "").split(",") if name]


def _is_alive(worker: Mapping[str, str], now: float) -> bool:
    """A worker that was killed leaves its hash behind; ours write it three times a lease."""
    beat = moment(worker.get("last_heartbeat", ""))
    return beat is not None and (keys.WORKED not in worker or now - beat.timestamp() < settings.LEASE_SECONDS)


def _age(worker: Mapping[str, str], now: float) -> float:
    born = moment(worker.get("birth", ""))
    return max(now - born.timestamp(), 0.0) if born else 0.0


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0


def _decoded(fields: Mapping[Any, Any]) -> dict[str, str]:
    return {text(name): text(value) for name, value in fields.items()}
