"""Workers: drained, resumed, started anew, killed. Each hears it over RQ's channel of commands."""

import json
from dataclasses import dataclass
from typing import Final

import redis
from rq.command import PUBSUB_CHANNEL_TEMPLATE

from ingest import processes
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.worker.orders import KEPT
from queueadmin.console import workers
from queueadmin.console.audit import Outcome, audited
from queueadmin.console.operations.reasons import ReasonNeeded
from queueadmin.console.workers import Worker

#: Seconds for which Redis keeps what is known of a worker that was killed.
_KNOWN: Final = 300


class NoSuchWorker(LookupError):
    """Redis knows no worker of that name; it may have ended meanwhile."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no worker {name}; it may have ended meanwhile.")


class CannotDo(Exception):
    """The worker cannot be told that; the message says why. Nothing was done."""


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """What it was told."""

    name: str
    verb: str
    sentence: str


def drain_worker(name: str, *, actor: str, reason: str = "") -> WorkerResult:
    """Let it finish what it holds and claim nothing more, until it is resumed.

    Raises NoSuchWorker, CannotDo, redis.RedisError when Redis is away, AuditUnavailable when it and the database are.
    So do the others.
    """
    return _tell(name, "drain", "finishes what it holds and claims nothing more until it is resumed", actor, reason)


def resume_worker(name: str, *, actor: str, reason: str = "") -> WorkerResult:
    """Let a drained worker claim again."""
    return _tell(name, "resume", "claims again", actor, reason)


def restart_worker(name: str, *, actor: str, reason: str = "") -> WorkerResult:
    """Let it finish what it holds and end; what supervises it starts another."""
    return _tell(name, "restart", "finishes what it holds and ends; {supervisor} starts another", actor, reason)


def kill_worker(name: str, *, actor: str, reason: str = "") -> WorkerResult:
    """End it now: SIGKILL where this is its machine, else RQ's shutdown command. Its leases bring its jobs back.

    Each of them counts a crash, so without a reason ReasonNeeded is raised.
    """
    if not reason.strip():
        raise ReasonNeeded(f"To kill {name} needs a reason.", 1)
    with audited(actor=actor, action="kill_worker", target=name, count=1, reason=reason, in_redis=True) as outcome:
        client = connection()
        worker = _known(client, name, "kill", outcome)
        held = worker.held
        back = f"; {held.words} in its hands come{'s' if held.count == 1 else ''} back when the lease ends"
        if processes.kill(worker.process):
            pipe = client.pipeline(transaction=True)
            pipe.hset(keys.worker(name), "order", "kill")
            pipe.expire(keys.worker(name), _KNOWN)
            pipe.execute()
            sentence = f"{name} was killed{back if held.count else ''}."
        elif _publish(client, name, "shutdown"):
            last = "finishes its job and ends" if not worker.ours else "ends within 10 s and puts back what it holds"
            sentence = f"{name} runs on {worker.host or 'another machine'}, so it was told to shut down: it {last}."
        else:
            outcome.count = 0
            raise CannotDo(
                f"{name} is not on this machine and does not listen, so it cannot be reached. If it is dead,"
                " maintenance takes back what it held when the lease ends."
            )
        result = WorkerResult(name, "kill", sentence)
        outcome.count, outcome.sentence = 1, sentence
    return result


def _tell(name: str, verb: str, does: str, actor: str, reason: str) -> WorkerResult:
    with audited(actor=actor, action=f"{verb}_worker", target=name, count=1, reason=reason, in_redis=True) as outcome:
        client = connection()
        worker = _known(client, name, verb, outcome)
        if verb == "resume":
            client.delete(keys.order(name))
        else:
            client.set(keys.order(name), verb, ex=KEPT)
        later = " It does not listen at the moment, and hears it with its next beat."
        when = "" if _publish(client, name, verb) else later
        result = WorkerResult(name, verb, f"{name} {does.format(supervisor=worker.supervisor)}.{when}")
        outcome.count, outcome.sentence = 1, result.sentence
    return result


def _known(client: redis.Redis, name: str, verb: str, outcome: Outcome) -> Worker:
    """The worker, when it can be told that. Raises NoSuchWorker and CannotDo."""
    outcome.count = 0
    worker = workers.find(client, name)
    if worker is None:
        raise NoSuchWorker(name)
    if verb not in worker.verbs:
        raise CannotDo(_why_not(worker, verb))
    return worker


def _why_not(worker: Worker, verb: str) -> str:
    name = worker.name
    if worker.state == "killed":
        return f"{name} was killed."
    if worker.state == "lost":
        return f"{name} is lost: nothing was heard of it for {worker.silent or 0:,.0f} s."
    if not worker.ours:
        return f"{name} is RQ's own worker, which knows no {verb}; pause its queues, or kill it."
    if worker.state == "restarting":
        return f"{name} ends already, as soon as it has finished what it holds."
    if verb == "restart":
        return (
            f"Nothing that {name} knows of would start it anew (supervisor, systemd, Kubernetes or a pool); a restart"
            " would only end it. Drain it, then start another."
        )
    return f"{name} is drained already." if verb == "drain" else f"{name} is not drained."


def _publish(client: redis.Redis, name: str, command: str) -> bool:
    """Whether it listened."""
    return bool(client.publish(PUBSUB_CHANNEL_TEMPLATE % name, json.dumps({"command": command})))
