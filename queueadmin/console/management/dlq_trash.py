"""`manage.py dlq undo` and `dlq purge`: what was discarded is brought back, or deleted for good."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from ingest.queue.connections import connection
from queueadmin.console import audit, operations, undoing
from queueadmin.console.command_line import actor, one_line, typed

#: What is listed of what can be undone: the newest.
_LISTED: Final = 50
_PUTS: Final = "action:discard,empty,end_discard since:24h"
#: Characters of what an operation was about.
_WIDTH: Final = 60


def add_arguments(undo: ArgumentParser, purge: ArgumentParser) -> None:
    undo.add_argument(
        "entry", type=typed, nargs="?", metavar="ENTRY", help="its id in the audit log; without one they are listed"
    )
    undo.add_argument("--reason", type=typed, default="", help="why, for the audit log")
    purge.add_argument(
        "--confirm", required=True, choices=settings.PRIORITIES, metavar="NAME", help="the queue's name, in full"
    )
    purge.add_argument("--reason", type=typed, default="", help="why, for the audit log; needed")


def undo(options: dict[str, Any], write: Callable[[str], None]) -> None:
    """Raises CommandError, SystemExit, redis.RedisError and AuditUnavailable."""
    try:
        done = _undone(options) if options["entry"] else None
        write(f"{_told(done)}\n" if done else _listed())
    except (DatabaseError, InterfaceError) as error:
        raise CommandError(f"The database does not answer: {error}") from None
    if isinstance(done, operations.UndoResult) and not done.restored:
        raise SystemExit(1)


def purge(options: dict[str, Any], write: Callable[[str], None]) -> None:
    """Raises as `undo`."""
    name = options["confirm"]
    try:
        gone = operations.purge_trash(name, typed=name, actor=actor(), reason=options["reason"])
    except operations.ReasonNeeded as error:
        raise CommandError(f"{error} See --reason.", returncode=2) from None
    write(f"{gone.sentence}\n")
    if not gone.gone:
        raise SystemExit(1)


def _undone(options: dict[str, Any]) -> operations.UndoResult | operations.ReplayResult:
    name = undoing.name_of(connection(), options["entry"])
    if name is None:
        raise CommandError(f"The audit log has no entry {options['entry']}.")
    return operations.undo(name, actor=actor(), reason=options["reason"])


def _told(done: operations.UndoResult | operations.ReplayResult) -> str:
    if isinstance(done, operations.ReplayResult):
        return f"{done.sentence} See /replays/{done.replay.pk}/."
    return done.sentence


def _listed() -> str:
    found = audit.page(audit.chosen(_PUTS), limit=_LISTED).items
    known = undoing.undoable(connection(), found)
    lines = [
        f"{each.id}  {each.at:%Y-%m-%d %H:%M} UTC  {one_line(each.actor, 20)}: {one_line(each.target, _WIDTH)}"
        f" ({'so far' if each.count is None else f'{each.count:,}'})\n"
        for each in found
        if each.undo in known
    ]
    return "".join(lines) or "Nothing that was discarded in the last 24 hours can be brought back.\n"
