"""Is all well? One word, one sentence why, one next step. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from queueadmin.console.snapshot import (
    Check,
    DatabaseState,
    Loss,
    Maintenance,
    QueueState,
    RedisState,
    Verdict,
)
from queueadmin.console.templatetags.console import duration
from queueadmin.console.words import jobs, listed

#: More dead letters than this need a person (the threshold of Keep and of the agent tasks).
MAX_DEAD_LETTERS: Final = 100
#: More waiting jobs than this are a backlog (the threshold of the GPS points).
MAX_PENDING: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Finding:
    reason: str
    next: str


def judge(
    *,
    redis: RedisState,
    database: DatabaseState,
    maintenance: Maintenance,
    queues: Sequence[QueueState],
    loss: Loss | None = None,
) -> Verdict:
    """unhealthy: nothing can be accepted; degraded: it can, but something needs a person."""
    checks = _checks(redis, database, maintenance, queues)
    if redis.status != "connected":
        return _verdict(
            "unhealthy",
            [
                _Finding(
                    "Redis does not answer, so no event can be accepted or processed; the numbers are the last known.",
                    "Start the Redis that REDIS_URL names. Workers and pages come back by themselves.",
                )
            ],
            checks,
        )
    if redis.refuses:
        return _verdict(
            "unhealthy",
            [_Finding(redis.refuses, "Free memory or disk for Redis, or make it the master, then look again.")],
            checks,
        )
    findings = [_Finding(loss.sentence, loss.next)] if loss else []
    findings += _findings(redis, database, maintenance, queues)
    if findings:
        return _verdict("degraded", findings, checks)
    return Verdict("healthy", _calm(queues), checks=checks)


def _calm(queues: Sequence[QueueState]) -> str:
    waiting = sum(q.depth for q in queues)
    if paused := [q.name for q in queues if q.paused]:
        return f"{_paused(paused)}; {jobs(waiting)} waiting, within target." if waiting else f"{_paused(paused)}."
    if late := [q.name for q in queues if _late(q)]:
        return f"{listed(late)} waited longer than the target, but drains."
    if waiting:
        return f"{jobs(waiting)} waiting, within target."
    return "No job waits and no job is stuck."


def _findings(
    redis: RedisState, database: DatabaseState, maintenance: Maintenance, queues: Sequence[QueueState]
) -> list[_Finding]:
    """What is wrong, the gravest first."""
    found = []
    if database.status != "connected":
        found.append(
            _Finding(
                "The database does not answer; events are accepted and wait in their queues.",
                "Start the database. Workers go on by themselves.",
            )
        )
    found += [
        _Finding(sentence, "Correct this setting of Redis; docs/design.md, section 5, says why.")
        for sentence in redis.unsafe
    ]
    if alone := [q.name for q in queues if not q.workers]:
        found.append(
            _Finding(
                f"No worker serves {listed(alone)}.",
                f"Start one: manage.py rqworker {' '.join(q.name for q in queues)}",
            )
        )
    if maintenance.leader is None:
        found.append(
            _Finding(
                "No maintenance process runs, so retries and lapsed leases wait.",
                "Start it: manage.py maintain",
            )
        )
    for q in queues:
        if q.stalled:
            found.append(
                _Finding(
                    f"{jobs(q.stalled)} in {q.name} stalled: the worker stopped renewing the lease.",
                    "Maintenance takes them back within 45 s; Recover stalled does it now.",
                )
            )
    for q in queues:
        if q.starved_for:
            found.append(
                _Finding(
                    f"{q.name} starved {duration(q.starved_for)}: {_waiting(q.depth - q.parked)} while higher queues"
                    " keep every worker.",
                    f"Add workers, or give it one of its own: manage.py rqworker {q.name}",
                )
            )
    for q in queues:
        if q.clears_in == "growing" and _late(q) and not q.starved_for:
            found.append(
                _Finding(
                    f"{q.name} grows {_rate(q.net_rate)}/s faster than it drains; its oldest job has waited"
                    f" longer than the {q.wait_target} s target.",
                    "Add workers, or find what slowed them down.",
                )
            )
    if late := [q for q in queues if q.paused and _late(q)]:
        waiting = jobs(sum(q.depth for q in late))
        found.append(
            _Finding(
                f"{_paused([q.name for q in late])}, and {waiting} waited longer than the target.",
                "Resume when what it was paused for is done.",
            )
        )
    dead = sum(q.failed for q in queues)
    if dead > MAX_DEAD_LETTERS:
        found.append(
            _Finding(f"{dead:,} dead letters wait for a decision.", "Read their errors under Dead letters, then retry.")
        )
    pending = sum(q.depth for q in queues)
    if pending > MAX_PENDING:
        found.append(_Finding(f"{pending:,} jobs wait in the queues.", "Add workers until the backlog is gone."))
    return found


def _checks(
    redis: RedisState, database: DatabaseState, maintenance: Maintenance, queues: Sequence[QueueState]
) -> tuple[Check, ...]:
    """What was looked at, as short lines; only what holds is said to hold."""
    if redis.status != "connected":
        return (Check(False, "Redis away"), Check(database.status == "connected", f"database {database.status}"))
    durable = not redis.unsafe and not redis.refuses
    stalled = sum(q.stalled for q in queues)
    dead = sum(q.failed for q in queues)
    late = [q.name for q in queues if _late(q)]
    alone = [q.name for q in queues if not q.workers]
    paused = [q.name for q in queues if q.paused]
    starved = [q.name for q in queues if q.starved_for]
    return (
        Check(durable, "Redis durable" if durable else "Redis unsafe"),
        Check(database.status == "connected", f"database {database.status}"),
        Check(not alone, f"no worker on {listed(alone)}" if alone else "a worker on every queue"),
        Check(maintenance.leader is not None, "maintenance runs" if maintenance.leader else "no maintenance"),
        Check(not stalled, f"{stalled:,} stalled" if stalled else "nothing stalled"),
        *([Check(False, _paused(paused))] if paused else []),
        *([Check(False, f"{listed(starved)} starved")] if starved else []),
        Check(not late, f"{listed(late)} over target" if late else "waits within target"),
        Check(dead <= MAX_DEAD_LETTERS, f"{dead:,} dead letters" if dead else "no dead letters"),
    )


def _verdict(status: str, findings: list[_Finding], checks: tuple[Check, ...]) -> Verdict:
    first = findings[0]
    reasons = tuple(f.reason for f in findings)
    return Verdict("unhealthy" if status == "unhealthy" else "degraded", first.reason, first.next, reasons, checks)


def _late(q: QueueState) -> bool:
    return q.oldest_wait > q.wait_target


def _waiting(count: int) -> str:
    return f"{jobs(count)} {'waits' if count == 1 else 'wait'}"


def _paused(names: Sequence[str]) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} paused"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
