"""`manage.py queues`: the snapshot as text, or as JSON; and pausing, for when nobody can sign in."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from queueadmin.console import operations
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.command_line import actor, typed
from queueadmin.console.figures import metrics
from queueadmin.console.figures.snapshot import QueueState, Snapshot
from queueadmin.console.words import jobs

_HEAD = (
    *("queue", "waiting", "parked", "running", "stalled", "later", "dead", "trash", "oldest", "in/s", "out/s"),
    *("clears", "workers"),
)


class Command(BaseCommand):
    help = (
        "Show what waits, runs and failed in every queue, now; exit code 1 when nothing can be accepted. Or pause one"
        " queue, or all of them, and let them go on: that works while the database is away."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the whole snapshot as JSON")
        parser.add_argument("verb", nargs="?", choices=("pause", "resume"), help="what to do; none: show")
        parser.add_argument("queue", nargs="?", choices=list(settings.PRIORITIES), help="which one; none: all of them")
        parser.add_argument("--minutes", type=_minutes, help="for how long to pause; none: until resumed")
        parser.add_argument("--reason", type=typed, default="", help="why, for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"]:
            self.stdout.write(_told(**{name: options[name] for name in ("verb", "queue", "minutes", "reason")}))
            return
        snapshot = metrics.snapshot()
        text = json.dumps(snapshot.as_dict(), indent=2) if options["json"] else _text(snapshot)
        self.stdout.write(text)
        if snapshot.verdict.status == "unhealthy":
            raise SystemExit(1)


def _told(*, verb: str, queue: str | None, minutes: float | None, reason: str) -> str:
    """What was done, in a sentence. Raises CommandError."""
    if verb == "resume" and minutes is not None:
        raise CommandError("--minutes is for a pause.")
    try:
        if verb == "pause":
            return operations.pause(queue, minutes=minutes, actor=actor(), reason=reason).sentence
        return operations.resume(queue, actor=actor(), reason=reason).sentence
    except redis.RedisError as error:
        raise CommandError(f"Redis does not answer: {error}") from None
    except AuditUnavailable as error:
        raise CommandError(str(error)) from None


def _minutes(text: str) -> float:
    most = operations.MAX_MINUTES
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= most:
        raise ArgumentTypeError(f"must be a number of minutes above 0 and at most {most:,}, not {text!r}")
    return minutes


def _text(snapshot: Snapshot) -> str:
    verdict = snapshot.verdict
    lines = [f"{verdict.status}: {verdict.reason}"]
    if verdict.next:
        lines.append(f"next: {verdict.next}")
    rows = [_HEAD, *(_row(q, known=snapshot.known) for q in snapshot.queues)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines.append("")
    lines += [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    totals = snapshot.totals
    if snapshot.known:
        lines.append("")
        lines += [note for q in snapshot.queues for note in _notes(q)]
        lines.append(
            f"enqueued {totals.enqueued:,} · dequeued {totals.dequeued:,} · processed {totals.processed:,}"
            f" · failures {totals.failures:,} · workers {snapshot.workers.busy} of {snapshot.workers.total} busy"
        )
    return "\n".join(lines)


def _row(q: QueueState, *, known: bool) -> tuple[str, ...]:
    if not known:
        return (q.name, *("–" for _ in _HEAD[1:]))
    match q.clears_in:
        case None:
            clears = "clear"
        case str(word):
            clears = word
        case seconds:
            clears = f"{seconds:,.0f} s"
    return (
        q.name,
        f"{q.depth:,}",
        f"{q.parked:,}",
        f"{q.started:,}",
        f"{q.stalled:,}",
        f"{q.scheduled:,}",
        f"{q.failed:,}",
        f"{q.trash:,}",
        f"{q.oldest_wait:,.1f} s",
        f"{q.in_rate:,.1f}",
        f"{q.out_rate:,.1f}",
        clears,
        str(q.workers),
    )


def _notes(q: QueueState) -> Iterator[str]:
    """What numbers do not tell: why nothing is claimed."""
    if q.paused:
        until = "until resumed"
        if q.paused_until is not None:
            until = f"until {datetime.fromtimestamp(q.paused_until, UTC):%Y-%m-%d %H:%M:%S} UTC"
        yield f"{q.name} is paused {until}" + ("" if q.paused_itself else ", as all queues are")
    if q.starved_for:
        yield f"{q.name} starved {q.starved_for / 60:,.0f} min: higher queues keep its workers"
    if q.parked:
        yield f"{q.name} holds back {jobs(q.parked)}, by rate limits or by the order of their keys"
