"""`manage.py queues`: the snapshot as text, or as JSON."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from queueadmin.console import metrics
from queueadmin.console.snapshot import QueueState, Snapshot
from queueadmin.console.words import jobs

_HEAD = (
    *("queue", "waiting", "parked", "running", "stalled", "later", "dead", "trash", "oldest", "in/s", "out/s"),
    *("clears", "workers"),
)


class Command(BaseCommand):
    help = "Show what waits, runs and failed in every queue, now. Exit code 1 when nothing can be accepted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the whole snapshot as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        snapshot = metrics.snapshot()
        text = json.dumps(snapshot.as_dict(), indent=2) if options["json"] else _text(snapshot)
        self.stdout.write(text)
        if snapshot.verdict.status == "unhealthy":
            raise SystemExit(1)


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
