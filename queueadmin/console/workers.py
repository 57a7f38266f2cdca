"""Who works: every worker as Redis knows it, ours and RQ's own, and what each holds now. Only reads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import redis
from django.conf import settings

from ingest import processes
from ingest.queue import keys
from ingest.reading.fields import moment, pipelined, text
from queueadmin.console.figures.counts import STOCK_WORKER_SILENT_SECONDS
from queueadmin.console.words import listed

#: Running jobs that are looked at, the leases that end first: about 10 ms.
LOOKED_AT: Final = 2_000
#: What an operator may tell a worker.
VERBS: Final = ("drain", "resume", "restart", "kill")

#: busy and idle as it says; draining finishes what it holds, drained claims nothing until it is resumed; suspended: by
#: RQ's own flag for all of them; lost: nothing was heard of it for longer than a lease; killed: by an operator.
State = Literal["busy", "idle", "draining", "drained", "restarting", "suspended", "lost", "killed"]
STATES: Final = ("busy", "idle", "draining", "drained", "restarting", "suspended", "lost", "killed")


@dataclass(frozen=True, slots=True)
class Held:
    """Jobs that a worker has under lease."""

    #: Number by kind; "" is a stock client's job.
    kinds: Mapping[str, int] = field(default_factory=dict)
    #: Since when the first of them.
    since: datetime | None = None
    #: Seconds until the first of its leases ends; below 0: they lapsed, so maintenance takes the jobs back.
    lease: float | None = None

    @property
    def count(self) -> int:
        return sum(self.kinds.values())

    @property
    def overdue(self) -> float:
        """Seconds since the first lease ended."""
        return max(0.0, -(self.lease or 0.0))

    @property
    def words(self) -> str:
        """ "48 alerts", "1 task (export) and 2 points (live)"."""
        named = [_counted(kind, count) for kind, count in self.kinds.items()]
        return listed(named) if named else ""


def _counted(kind: str, count: int) -> str:
    name, _, which = kind.partition(":")
    return f"{count:,} {name or 'job'}{'' if count == 1 else 's'}{f' ({which})' if which else ''}"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker. What RQ's own do not tell is None."""

    name: str
    state: State
    #: Ours, which hears all orders; else RQ's own.
    ours: bool
    host: str
    pid: int | None
    queues: tuple[str, ...]
    #: The task types that it serves and takes nothing else; empty: it serves everything.
    types: tuple[str, ...]
    heartbeat: datetime | None
    #: Seconds since then.
    silent: float | None
    since: datetime | None
    processed: int
    failed: int
    #: Bytes, and percent of a processor.
    memory: int | None
    cpu: float | None
    #: What starts it anew when it ends; empty: nothing that it knows of.
    supervisor: str
    #: The machine's own name of its process, by which it can be killed from here.
    process: str
    #: "database" while it waits for that.
    waits_for: str
    held: Held

    @property
    def verbs(self) -> tuple[str, ...]:
        """What it can be told now."""
        if self.state == "killed":
            return ()
        if not self.ours or self.state == "lost":
            return ("kill",)
        going = {"draining": ("resume",), "drained": ("resume",), "restarting": ()}.get(self.state, ("drain",))
        restart = ("restart",) if self.supervisor and self.state != "restarting" else ()
        return (*going, *restart, "kill")

    @property
    def is_stale(self) -> bool:
        return self.state in ("lost", "killed")


@dataclass(frozen=True, slots=True)
class Workers:
    items: Sequence[Worker]
    #: More jobs run than were looked at.
    more: bool = False

    @property
    def lost(self) -> Sequence[Worker]:
        """Those that hold jobs which nobody finishes."""
        return [each for each in self.items if each.held.lease is not None and each.held.lease < 0]

    @property
    def silent(self) -> Sequence[Worker]:
        """Those that were lost and hold nothing any more."""
        return [each for each in self.items if each.state == "lost" and not each.held.count]


def read(client: redis.Redis) -> Workers:
    """All of them, by their names. Raises redis.RedisError."""
    now, members = _started(client)
    held = _held(client, members[:LOOKED_AT], now)
    hashes = zip(*_hashes(client), strict=True)
    found = [_worker(name, fields, held.get(name, Held()), now) for name, fields in hashes if fields]
    return Workers(sorted(found, key=lambda worker: worker.name), more=len(members) > LOOKED_AT)


def listening(client: redis.Redis, queue: str) -> list[Worker]:
    """Those that serve the queue and were heard of, by their names; what they hold is not looked at.

    Raises redis.RedisError.
    """
    seconds, micros = client.time()
    hashes = zip(*_hashes(client), strict=True)
    found = [_worker(name, fields, Held(), seconds + micros / 1e6) for name, fields in hashes if fields]
    return sorted((each for each in found if queue in each.queues and not each.is_stale), key=lambda each: each.name)


def find(client: redis.Redis, name: str) -> Worker | None:
    """The worker of that name. Raises redis.RedisError."""
    return next((worker for worker in read(client).items if worker.name == name), None)


def shown(worker: Worker) -> dict[str, Any]:
    """One worker in the API's shape."""
    return {
        "name": worker.name,
        "state": worker.state,
        "stock": not worker.ours,
        "host": worker.host or None,
        "pid": worker.pid,
        "queues": list(worker.queues),
        "task_types": list(worker.types),
        "last_heartbeat": worker.heartbeat,
        "since": worker.since,
        "held": {
            "jobs": worker.held.count,
            "kinds": dict(worker.held.kinds),
            "since": worker.held.since,
            "lease_seconds": None if worker.held.lease is None else round(worker.held.lease, 1),
        },
        "processed": worker.processed,
        "failed": worker.failed,
        "memory": worker.memory,
        "cpu": worker.cpu,
        "supervisor": worker.supervisor or None,
        "waits_for": worker.waits_for or None,
        "can": list(worker.verbs),
    }


def _started(client: redis.Redis) -> tuple[float, list[tuple[str, float]]]:
    """Redis' clock, and (job, end of its lease) of those whose leases end first; one more than is looked at."""
    pipe = client.pipeline(transaction=False)
    pipe.time()
    for queue in settings.PRIORITIES:
        pipe.zrange(keys.started(queue), 0, LOOKED_AT, withscores=True)
    (seconds, micros), *queues = pipe.execute()
    # A stock worker's scores have no offset.
    members = [(text(member), score % keys.SCORE_OFFSET) for found in queues for member, score in found]
    members.sort(key=lambda each: each[1])
    return seconds + micros / 1e6, [(member.partition(":")[0], end) for member, end in members[: LOOKED_AT + 1]]


def _held(client: redis.Redis, members: Sequence[tuple[str, float]], now: float) -> dict[str, Held]:
    """What each worker holds, by its name."""
    hashes = pipelined(client, "hmget", [keys.job(job) for job, _ in members], ("worker_name", "kind", "started_at"))
    kinds: dict[str, Counter[str]] = {}
    begun: dict[str, list[datetime]] = {}
    ends: dict[str, float] = {}
    for (_, end), values in zip(members, hashes, strict=True):
        name, kind, started_at = map(text, values)
        kinds.setdefault(name, Counter())[kind] += 1
        ends.setdefault(name, end)
        if (at := moment(started_at)) is not None:
            begun.setdefault(name, []).append(at)
    return {name: Held(kinds[name], min(begun.get(name, ()), default=None), ends[name] - now) for name in kinds}


def _hashes(client: redis.Redis) -> tuple[list[str], list[dict[str, str]]]:
    """Names, and what Redis knows of each."""
    members = [text(member) for member in client.smembers(keys.WORKERS)]
    pipe = client.pipeline(transaction=False)
    for member in members:
        pipe.hgetall(member)
    hashes = [{text(name): text(value) for name, value in fields.items()} for fields in pipe.execute()]
    return [member.removeprefix(keys.worker("")) for member in members], hashes


def _worker(name: str, fields: Mapping[str, str], held: Held, now: float) -> Worker:
    heartbeat = moment(fields.get("last_heartbeat", ""))
    silent = None if heartbeat is None else max(0.0, now - heartbeat.timestamp())
    ours = "held" in fields
    return Worker(
        name=name,
        state=_state(fields, silent, ours=ours, holds=bool(held.count)),
        ours=ours,
        host=fields.get("hostname", ""),
        pid=int(number) if (number := fields.get("pid", "")).isdecimal() else None,
        queues=tuple(filter(None, fields.get("queues", "").split(","))),
        types=tuple(filter(None, fields.get(keys.TYPES, "").split(","))),
        heartbeat=heartbeat,
        silent=silent,
        since=moment(fields.get("birth", "")),
        processed=_number(fields.get("successful_job_count")),
        failed=_number(fields.get("failed_job_count")),
        memory=_number(fields["memory"]) if "memory" in fields else None,
        cpu=float(fields["cpu"]) if "cpu" in fields else None,
        supervisor=fields.get("supervisor", ""),
        process=fields.get("process", ""),
        waits_for=fields.get("waits_for", ""),
        held=held,
    )


def _state(fields: Mapping[str, str], silent: float | None, *, ours: bool, holds: bool) -> State:
    order = fields.get("order", "")
    if order == "kill":
        return "killed"
    if silent is None or silent >= (settings.LEASE_SECONDS if ours else STOCK_WORKER_SILENT_SECONDS):
        return "lost"
    if order == "restart":
        return "restarting"
    if order == "drain":
        return "draining" if holds or fields.get("state") == "busy" else "drained"
    if fields.get("state") == "suspended":
        return "suspended"
    return "busy" if fields.get("state") == "busy" or holds else "idle"


def _number(value: str | None) -> int:
    return int(value) if value and value.isdecimal() else 0


def is_here(worker: Worker) -> bool:
    """Whether its process can be killed from this one's machine."""
    return processes.is_here(worker.process)
