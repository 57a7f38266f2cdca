"""The life of one job as a line of moments, from the shape that `queries.job` gives. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from ingest.reading.runs import Attempt


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened at `at`; `tone` is ok, run, warn, bad or empty; `icon` is lucide's name."""

    at: datetime | None
    what: str
    detail: str = ""
    icon: str = "circle"
    tone: str = ""
    #: Seconds since the moment before; None: the first one, the last one, or nobody knows.
    after: float | None = None


#: Why a job is a dead letter, in words.
REASONS = {
    "error": "no attempts left",
    "timeout": "it ran longer than its timeout",
    "poison": "it crashed its worker three times",
    "permanent": "the handler says that trying again cannot help",
    "unreadable": "no worker here can read its payload",
    "not_allowed": "it names a function that is not on the allow-list",
}


def life(job: Mapping[str, Any], attempts: Sequence[Attempt] = ()) -> list[Moment]:
    """Oldest first; what lies ahead stands at the end. `attempts` are those that failed, as far as they are kept."""
    moments: list[Moment] = []
    source = " · ".join(part for part in (job["source"], job["tenant"]) if part)
    if job["received_at"]:
        moments.append(Moment(job["received_at"], "Received", f"from {source}" if source else "", "inbox", "ok"))
    if job["enqueued_at"]:
        detail = ", ".join(part for part in (_by(job, job["enqueued_at"]), _place(job)) if part)
        moments.append(Moment(job["enqueued_at"], f"Queued in {job['queue']}", detail, "layers"))
    for each in attempts:
        moments += _attempt(each)
    if job["started_at"] and not any(each.started_at == job["started_at"] for each in attempts):
        run = f"attempt {job['attempts']}" if job["attempts"] else ""
        moments.append(Moment(job["started_at"], "Claimed by a worker", run, "cpu", "run"))
    error = job["error"]
    if error and error["type"] and job["state"] != "finished" and not attempts:
        moments.append(Moment(error["at"], f"Failed: {error['type']}", _attempts(job), "circle-x", "bad"))
    moments.sort(key=lambda moment: moment.at.timestamp() if moment.at else 0)
    if job["state"] == "failed":
        reason = REASONS.get(error["reason"] if error else "", "")
        moments.append(Moment(error["at"] if error else None, "Dead letter", reason, "skull", "bad"))
    if job["trashed_at"]:
        whence = {"queued": "its queue", "scheduled": "those that wait for their time", "failed": "the dead letters"}
        by, place = _by(job, job["trashed_at"]), f"from {whence.get(job['trashed_from'], 'elsewhere')}"
        detail = ", ".join(part for part in (by, place) if part)
        moments.append(Moment(job["trashed_at"], "Moved to the trash", detail, "trash-2", "warn"))
    if job["stopping"] or (job["state"] == "canceled" and job["started_at"] and job["moved_by"]):
        moments.append(Moment(job["moved_at"], "Asked to end", f"by {job['moved_by']}", "ban", "warn"))
    if job["state"] == "canceled":
        moments.append(Moment(job["finished_at"], "Canceled", _by(job, job["finished_at"]), "ban", "warn"))
    if job["next_attempt_at"]:
        word = "Next attempt" if job["state"] == "retrying" else "Due"
        moments.append(Moment(job["next_attempt_at"], word, f"then into {job['queue']}", "clock", "warn"))
    if job["state"] == "finished":
        moments.append(Moment(job["finished_at"], "Finished", "its row is in the database", "circle-check", "ok"))
    return [
        *moments[:1],
        *(replace(moment, after=_between(*pair)) for pair in pairwise(moments) for moment in pair[1:]),
    ]


def lasted(moments: Sequence[Moment]) -> float | None:
    """Seconds from the first moment to the last, of a life that is over; None: it goes on, or nobody knows."""
    over = bool(moments) and moments[-1].what in ("Dead letter", "Finished", "Canceled")
    return _between(moments[0], moments[-1]) if over and len(moments) > 1 else None


def _between(before: Moment, moment: Moment) -> float | None:
    return max(0.0, (moment.at - before.at).total_seconds()) if moment.at and before.at else None


def _attempt(attempt: Attempt) -> list[Moment]:
    """Its claim, where that is known, and its failure."""
    number = f"attempt {attempt.number}" if attempt.number else ""
    moments = []
    ran = ""
    if attempt.started_at:
        worker = f"Claimed by {attempt.worker}" if attempt.worker else "Claimed by a worker"
        moments.append(Moment(attempt.started_at, worker, number, "cpu", "run"))
        ran = f"ran {max(0.0, (attempt.ended_at - attempt.started_at).total_seconds()):,.2f} s"
    then = "then tried again" if attempt.retried else ""
    detail = ", ".join(part for part in ("" if moments else number, ran, then) if part)
    what = f"Failed: {attempt.error_type or attempt.reason}"
    return [*moments, Moment(attempt.ended_at, what, detail, "circle-x", "bad")]


def _by(job: Mapping[str, Any], at: datetime) -> str:
    """Who did it, if it was the operator who moved the job last: then both bear the same instant."""
    return f"by {job['moved_by']}" if job["moved_by"] and job["moved_at"] == at else ""


def _place(job: Mapping[str, Any]) -> str:
    if job["state"] != "queued" or job["position"] is None:
        return ""
    behind = f", waits for {job['waits_for']} of its ordering key" if job["waits_for"] else ""
    if job["ahead"] is None:
        return f"position {job['position']}{behind}"
    return f"position {job['position']}, {job['ahead']:,} ahead{behind}"


def _attempts(job: Mapping[str, Any]) -> str:
    count = job["attempts"]
    if count and job["state"] == "started":
        count -= 1  # the one that runs now has not failed
    ran = "" if count is None else f"{count} attempt{'' if count == 1 else 's'} so far"
    crashed = f"{job['crashes']} crash{'' if job['crashes'] == 1 else 'es'}" if job["crashes"] else ""
    return ", ".join(part for part in (ran, crashed) if part)
