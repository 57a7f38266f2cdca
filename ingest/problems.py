"""What is said about a problem, and the one state that follows from it.

A report is one alert's word on its problem, or a person's: it triggers, acknowledges or resolves it, at a moment.
The state is a function of the set of reports alone, so it does not matter in which order, how often and by how many
workers they are written:

- A problem is open while its newest trigger is newer than its newest resolve; it opened with the first trigger after
  that resolve.
- An open problem is acknowledged when something acknowledged it since it opened. An acknowledgement from before, of
  what was resolved meanwhile, counts for nothing: a new outbreak wakes somebody up again.
- At equal times a resolve beats an acknowledgement, and that a trigger.

Each row of `Alert` keeps the four moments that this takes, its state is a generated column, and every moment but one
is a maximum, which the database can take without reading first. The one, when it opened, is the least of the triggers
after the newest resolve. When a resolve comes late, in the midst of triggers that were there before it, only the
reports know which that is, and one look into their key tells.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
import uuid_utils
from django.db import connection, transaction

from ingest.models import Alert, Report
from ingest.priorities import PRIORITIES, Priority
from ingest.store import times
from ingest.upsert import places, upsert

TRIGGER: Final = Report.Action.TRIGGER
ACKNOWLEDGE: Final = Report.Action.ACKNOWLEDGE
RESOLVE: Final = Report.Action.RESOLVE

_WORST_FIRST: Final = {str(priority): rank for rank, priority in enumerate(PRIORITIES)}
_ENCODER: Final = msgspec.json.Encoder()
#: Characters of all labels together that the row keeps, to be searched and shown; the event keeps the rest.
LABELS_LENGTH: Final = 4_000


class Said(NamedTuple):
    """One report, and what it says the problem is."""

    #: The Alert's key, see `ingest.models.Alert.identity`.
    identity: str
    tenant: str
    source: str
    #: "": it does not say.
    title: str
    #: As `lines_of` writes them.
    labels: str
    priority: str
    action: Report.Action
    #: When it happened, aware: it orders what is said about one problem.
    at: datetime
    #: The event's id of ours; of a person's word an id of its own.
    event: str
    #: The person who said it; "": an event did.
    by: str = ""

    @property
    def rank(self) -> tuple[bool, bool, datetime, str]:
        """Of all reports the one with the highest describes the problem: the newest trigger that has a title."""
        return bool(self.title), self.action is TRIGGER, self.at, self.event

    @property
    def urgency(self) -> tuple[bool, datetime, int]:
        """Of all reports the one with the highest has the priority: the newest trigger, at equal times the worst."""
        return self.action is TRIGGER, self.at, -_WORST_FIRST[self.priority]


def save_reports(said: Sequence[Said]) -> None:
    """Count every report towards its problem, once: one that is known already changes nothing.

    Runs in the caller's transaction, and locks the problems in the order of their keys.
    """
    problems: dict[str, list[Said]] = {}
    for report in _insert_reports(said):
        problems.setdefault(report.identity, []).append(report)
    stored = times()
    rows = [_row(problems[identity], stored) for identity in sorted(problems)]
    hidden = [identity for identity in upsert(_ALERTS, _COLUMNS, rows, _MERGE, returning=_HIDDEN) if identity]
    if hidden:
        _look_up_opening(hidden)


def say(identity: str, action: Report.Action, *, by: str, tenant: str = "") -> tuple[Alert, bool] | None:
    """A person acknowledges or resolves a problem: its row after that, and whether that changed its state.

    None: there is no such problem, or it is not this tenant's. Raises what the database raises.
    """
    with transaction.atomic():
        mine = {"tenant": tenant} if tenant else {}
        alert = Alert.objects.select_for_update().filter(identity=identity, **mine).first()
        if alert is None:
            return None
        needed = {ACKNOWLEDGE: (Alert.State.TRIGGERED,), RESOLVE: (Alert.State.TRIGGERED, Alert.State.ACKNOWLEDGED)}
        if alert.state not in needed[action]:
            return alert, False
        # Not before its newest trigger, which may be ahead of this clock: what is pressed now counts now.
        now = max(filter(None, (datetime.now(UTC), alert.triggered_at, alert.acknowledged_at)))
        report = Said(
            identity=identity,
            tenant=alert.tenant,
            source=alert.source,
            title="",
            labels="",
            priority=alert.priority,
            action=action,
            at=now,
            event=uuid_utils.uuid7().hex,
            by=by,
        )
        save_reports([report])
        return Alert.objects.get(identity=identity), True


def lines_of(labels: Mapping[str, Any]) -> str:
    """Labels as the row keeps them: `\\nname=value\\n`, to be found as a whole; what is no text is JSON."""
    if not labels:
        return ""
    text = "\n"
    for name in sorted(labels):
        value = labels[name]
        if not isinstance(value, str):
            value = _ENCODER.encode(value).decode()
        line = f"{name}={value}"
        if "\n" in line:
            line = line.replace("\n", " ")
        if len(text) + len(line) >= LABELS_LENGTH:
            break
        text += line + "\n"
    return text if len(text) > 1 else ""


def labels_of(lines: str) -> dict[str, str]:
    """The labels of a row again."""
    found = (line.partition("=") for line in lines.split("\n") if line)
    return {name: value for name, _, value in found}


def _insert_reports(said: Sequence[Said]) -> list[Said]:
    """Those that were not there before."""
    stored = times()
    reports = {(report.identity, report.action, report.at, report.event): report for report in said}
    once = [reports[key] for key in sorted(reports)]
    rows = [(report.identity, report.action.value, stored(report.at), report.event, report.by) for report in once]
    written = upsert(_REPORTS, _REPORT_COLUMNS, rows, "DO NOTHING", returning="event")
    if len(written) == len(once):
        return once
    fresh = set(written)
    return [report for report in once if report.event in fresh]


def _row(reports: Sequence[Said], stored: Callable[[datetime], Any]) -> tuple[Any, ...]:
    """The values of _COLUMNS that one problem's reports come to."""
    about = urgent = reports[0]
    first = last = about.at
    triggers = [report.at for report in reports if report.action is TRIGGER]
    if len(reports) > 1:
        about = max(reports, key=lambda report: report.rank)
        urgent = max(reports, key=lambda report: report.urgency)
        moments = [report.at for report in reports]
        first, last = min(moments), max(moments)
    triggered = opened = max(triggers, default=None)
    acknowledged = resolved = None
    if len(reports) > 1 or opened is None:
        acknowledged = max((report.at for report in reports if report.action is ACKNOWLEDGE), default=None)
        resolved = max((report.at for report in reports if report.action is RESOLVE), default=None)
        opened = min((at for at in triggers if resolved is None or at > resolved), default=None)
    return (
        *(about.identity, about.tenant, about.source, about.title, about.labels, urgent.priority, len(triggers)),
        *(stored(first), stored(last), triggered and stored(triggered), acknowledged and stored(acknowledged)),
        *(resolved and stored(resolved), opened and stored(opened)),
        *(2 * bool(about.title) + (about.action is TRIGGER), stored(about.at), about.event),
    )


def _look_up_opening(identities: Sequence[str]) -> None:
    """A statement of its own, after the rows are locked: it must see the reports of whoever held them before."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_ALERTS} SET opened_at = COALESCE((SELECT MIN(at) FROM {_REPORTS} WHERE problem = identity"  # noqa: S608 - names of our own
            f" AND action = {int(TRIGGER)} AND at > resolved_at), triggered_at)"
            f" WHERE identity IN {places(1, len(identities))}",
            list(identities),
        )


_ALERTS: Final = connection.ops.quote_name(Alert._meta.db_table)
_REPORTS: Final = connection.ops.quote_name(Report._meta.db_table)
#: With PostgreSQL's names of their types.
_REPORT_COLUMNS: Final = {
    "problem": "varchar",
    "action": "int2",
    "at": "timestamptz",
    "event": "varchar",
    "by": "varchar",
}
_COLUMNS: Final = {
    **dict.fromkeys(("identity", "tenant", "source"), "varchar"),
    **dict.fromkeys(("title", "labels"), "text"),
    "priority": "varchar",
    "occurrences": "int8",
    **dict.fromkeys(("first_seen", "last_seen"), "timestamptz"),
    **dict.fromkeys(("triggered_at", "acknowledged_at", "resolved_at", "opened_at"), "timestamptz"),
    "described_rank": "int2",
    "described_at": "timestamptz",
    "described_by": "varchar",
}
#: The problem's key where only the reports know when it opened.
# Not `opened_at IS NULL`: in RETURNING, SQLite 3.40 answers that for the row as it was.
_HIDDEN: Final = (
    "CASE WHEN triggered_at > resolved_at AND NOT COALESCE(opened_at > resolved_at, FALSE) THEN identity END"
)


def _merged() -> str:
    """What stands after ON CONFLICT; `old` is the row that is there, `excluded` what is said now."""

    def newest(column: str) -> str:
        old, new = f"old.{column}", f"excluded.{column}"
        return f"CASE WHEN {old} IS NULL OR {new} > {old} THEN {new} ELSE {old} END"

    resolved = f"({newest('resolved_at')})"

    def opened(side: str) -> str:
        """Whether this side's opening is still one after the newest resolve of both."""
        return f"{side}.opened_at IS NOT NULL AND ({resolved} IS NULL OR {side}.opened_at > {resolved})"

    def hidden(side: str) -> str:
        """Whether of this side's triggers some are before that resolve and some after it."""
        return f"{side}.opened_at <= {resolved} AND {side}.triggered_at > {resolved}"

    worst = " ".join(f"WHEN '{priority}' THEN {rank}" for priority, rank in _WORST_FIRST.items())
    worse = f"CASE excluded.priority {worst} END < CASE old.priority {worst} END"
    better = (
        "(excluded.described_rank, excluded.described_at, excluded.described_by)"
        " > (old.described_rank, old.described_at, old.described_by)"
    )
    changes = {
        "occurrences": "old.occurrences + excluded.occurrences",
        "first_seen": "CASE WHEN excluded.first_seen < old.first_seen THEN excluded.first_seen ELSE old.first_seen END",
        **{column: newest(column) for column in ("last_seen", "triggered_at", "acknowledged_at", "resolved_at")},
        "opened_at": f"CASE WHEN {hidden('old')} OR {hidden('excluded')} THEN NULL"
        f" WHEN {opened('old')} AND {opened('excluded')}"
        " THEN CASE WHEN excluded.opened_at < old.opened_at THEN excluded.opened_at ELSE old.opened_at END"
        f" WHEN {opened('old')} THEN old.opened_at WHEN {opened('excluded')} THEN excluded.opened_at END",
        "priority": "CASE WHEN CASE WHEN excluded.triggered_at IS NULL THEN old.triggered_at IS NULL"
        f" AND (excluded.last_seen > old.last_seen OR excluded.last_seen = old.last_seen AND {worse})"
        " ELSE old.triggered_at IS NULL OR excluded.triggered_at > old.triggered_at"
        f" OR excluded.triggered_at = old.triggered_at AND {worse} END"
        " THEN excluded.priority ELSE old.priority END",
        **{
            column: f"CASE WHEN {better} THEN excluded.{column} ELSE old.{column} END"
            for column in ("title", "labels", "described_rank", "described_at", "described_by")
        },
    }
    sets = ", ".join(f"{column} = {change}" for column, change in changes.items())
    return f"(identity) DO UPDATE SET {sets}".replace("old.", f"{_ALERTS}.")


_MERGE: Final = _merged()


def open_priorities(identities: Collection[str]) -> dict[str, Priority]:
    """The priorities of those of these problems that are open: one query for up to 1,000 of them."""
    still_open = Alert.objects.filter(pk__in=identities).exclude(state=Alert.State.RESOLVED)
    return {identity: Priority(priority) for identity, priority in still_open.values_list("identity", "priority")}
