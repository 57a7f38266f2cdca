"""Is all well? One word, one sentence why, one next step. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from queueadmin.console.figures.snapshot import (
    Accounts,
    Check,
    DatabaseFacts,
    DatabaseState,
    Maintenance,
    QueueState,
    RedisState,
    Spool,
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
    facts: DatabaseFacts,
    maintenance: Maintenance,
    queues: Sequence[QueueState],
    accounts: Accounts | None = None,
) -> Verdict:
    """unhealthy: nothing can be accepted; degraded: it can, but something needs a person."""
    checks = _checks(redis, facts.state, maintenance, queues)
    if facts.spool.count:
        checks = (*checks, Check(False, f"{_number(facts.spool)} in the spool"))
    away = redis.status != "connected"
    if (away or redis.refuses) and facts.state.status != "connected":
        reason = f"{_refusal(redis)}, and the database {_fault(facts.state)}: no event can be accepted."
        return _verdict("unhealthy", [_Finding(reason, _remedy(redis))], checks)
    findings = [_Finding(facts.loss.sentence, facts.loss.next)] if facts.loss else []
    if away:
        numbers = " The numbers are the last known."
        reason = f"{_refusal(redis)}: events are accepted into the database and none is processed.{numbers}"
        findings += [_Finding(reason, _remedy(redis)), *_of_spool(facts.spool, redis)]
        return _verdict("degraded", findings, checks)
    if redis.refuses:
        findings.append(_Finding(f"{_refusal(redis)}: events are accepted into the database.", _remedy(redis)))
    findings += _of_spool(facts.spool, redis)
    findings += _unaccounted(accounts)
    findings += _findings(redis, facts.state, maintenance, queues)
    if accounts and accounts.provable and accounts.accepted:
        checks = (*checks, Check(not _unaccounted(accounts), _counted(accounts)))
    if findings:
        return _verdict("degraded", findings, checks)
    return Verdict("healthy", _calm(queues), checks=checks)


def judge_without_redis(*, facts: DatabaseFacts, maintenance: Maintenance, queues: Sequence[QueueState]) -> Verdict:
    """With REDIS=false the database is all there is."""
    away, dead = facts.state.status != "connected", sum(q.failed for q in queues)
    late = [q.name for q in queues if _late(q)]
    checks = (
        Check(True, "no Redis, by REDIS=false"),
        Check(not away, f"database {facts.state.status}"),
        Check(maintenance.leader is not None, "events are run" if maintenance.leader else "no event is run"),
        Check(not late, f"{listed(late)} over target" if late else "waits within target"),
        Check(dead <= MAX_DEAD_LETTERS, f"{dead:,} dead letters" if dead else "no dead letters"),
    )
    if away:
        reason = f"The database {_fault(facts.state)}, and there is no Redis: no event can be accepted or processed."
        remedy = f"{_cure(facts.state)}; the rest goes on by itself."
        return _verdict("unhealthy", [_Finding(reason, remedy)], checks)
    findings = []
    if maintenance.leader is None:
        findings.append(_Finding("No process runs what was accepted.", "Start the web process again."))
    findings += _too_many(queues)
    if findings:
        return _verdict("degraded", findings, checks)
    return Verdict("healthy", _calm(queues), checks=checks)


def _fault(database: DatabaseState) -> str:
    return "takes no writes" if database.status == "read-only" else "does not answer"


def _cure(database: DatabaseState) -> str:
    if database.status == "read-only":
        return "Make the server that DATABASE_URL names writable: it may be a replica"
    return "Start the database"


def _refusal(redis: RedisState) -> str:
    return "Redis does not answer" if redis.status != "connected" else redis.refuses


def _remedy(redis: RedisState) -> str:
    if redis.status != "connected":
        return "Start the Redis that REDIS_URL names. Workers and pages come back by themselves."
    return "Free memory or disk for Redis, or make it the master, then look again."


def _of_spool(spool: Spool, redis: RedisState) -> list[_Finding]:
    found = []
    if spool.count:
        waits = "it goes" if spool.count == 1 else "they go"
        found.append(
            _Finding(
                f"{_number(spool)} {'event waits' if spool.count == 1 else 'events wait'} in the spool, the oldest for"
                f" {duration(spool.oldest)}; {waits} into Redis when it takes them, by priority and age.",
                "Nothing, while the number falls."
                if redis.status == "connected" and not redis.refuses
                else _remedy(redis),
            )
        )
    if spool.dead:
        found.append(
            _Finding(
                f"{spool.dead:,} dead letters of a time with REDIS=false are still in the spool.",
                "Retry all, under Dead letters, puts them into their queues.",
            )
        )
    return found


def _number(spool: Spool) -> str:
    return f"over {spool.count:,}" if spool.more else f"{spool.count:,}"


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
                f"The database {_fault(database)}; events are accepted and wait in their queues.",
                f"{_cure(database)}. Workers go on by themselves.",
            )
        )
    found += [
        _Finding(sentence, "Correct this setting of Redis; docs/design.md, section 5, says why.")
        for sentence in redis.unsafe
    ]
    if alone := [q.name for q in queues if not q.workers]:
        drained = any(q.drained for q in queues if not q.workers)
        found.append(
            _Finding(
                f"No worker serves {listed(alone)}.",
                ("Resume one that is drained, under Workers, or start" if drained else "Start")
                + f" one: manage.py rqworker {' '.join(q.name for q in queues)}",
            )
        )
    if types := sorted({each for q in queues for each in q.unserved}):
        found.append(
            _Finding(
                f"Tasks of the type {listed(types)} wait, and no worker serves them.",
                f"Start one: manage.py rqworker {' '.join(q.name for q in queues)} --types {','.join(types)}",
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
                    _more_workers(q),
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
    return found + _too_many(queues)


def _unaccounted(accounts: Accounts | None) -> list[_Finding]:
    """Of all that matters most: an accepted job that is nowhere."""
    if accounts is None or not accounts.provable:
        return []
    missing, found = accounts.accepted - accounts.accounted, []
    if missing or accounts.misplaced:
        what = f"{_counted(accounts)}, {jobs(accounts.misplaced)} of a sample misplaced"
        found.append(_Finding(f"{what}.", "manage.py verify names them; keep Redis' files as they are."))
    return found


def _counted(accounts: Accounts) -> str:
    return f"{accounts.accepted:,} accepted, {accounts.accounted:,} accounted for"


def _too_many(queues: Sequence[QueueState]) -> list[_Finding]:
    """Of what needs a person, or waits."""
    found = []
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


def _more_workers(q: QueueState) -> str:
    """How many its backlog needs to stop growing, at the pace of those that it has."""
    if q.out_rate <= 0 or not q.busy:
        return "Add workers, or find what slowed them down."
    missing = math.ceil(q.net_rate / (q.out_rate / q.busy))
    return f"Add {missing:,} worker{'' if missing == 1 else 's'}, or find what slowed them down."


def _late(q: QueueState) -> bool:
    return q.oldest_wait > q.wait_target


def _waiting(count: int) -> str:
    return f"{jobs(count)} {'waits' if count == 1 else 'wait'}"


def _paused(names: Sequence[str]) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} paused"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
