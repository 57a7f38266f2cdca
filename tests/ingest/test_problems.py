"""One honest state per problem: it follows from the set of reports alone, issue 5 (3)."""

import itertools
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import problems
from ingest.database import in_transaction
from ingest.models import Alert, Report
from ingest.problems import ACKNOWLEDGE, RESOLVE, TRIGGER, Said, save_reports

pytestmark = [pytest.mark.both_databases]

NOON: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def said(action: Report.Action = TRIGGER, minute: float = 0, **fields: Any) -> Said:
    values: dict[str, Any] = {
        "identity": "a",
        "tenant": "",
        "source": "nagios",
        "title": "disk full",
        "labels": "",
        "priority": "high",
        "event": f"{action}-{minute}",
    }
    return Said(action=action, at=NOON + timedelta(minutes=minute), **(values | fields))


# --- what the state is, told anew: the reports in their order, one after the other ---------------


def told(reports: Sequence[Said]) -> dict[str, Any]:
    """What one problem's row must hold, by walking through its history."""
    history = sorted(set(map(_key, reports)))
    state, since = "", None
    for at, action, _ in history:
        if action is TRIGGER and state in ("", "resolved", "heard of"):
            state, since = "triggered", at
        elif action is ACKNOWLEDGE and state in ("triggered", "acknowledged"):
            state, since = "acknowledged", at
        elif action is ACKNOWLEDGE and state in ("", "heard of"):
            state, since = "heard of", at  # nobody has said yet that it broke out
        elif action is RESOLVE:
            state, since = "resolved", at
    once = list({_key(report): report for report in reports}.values())
    triggers = [report for report in once if report.action is TRIGGER]
    latest = max(triggers or once, key=lambda report: (report.at, -problems._WORST_FIRST[report.priority]))
    titled = [report for report in once if report.title] or once
    about = max(titled, key=lambda report: (report.action is TRIGGER, report.at, report.event))
    return {
        "state": "acknowledged" if state == "heard of" else state,
        "changed_at": since,
        "occurrences": len(triggers),
        "first_seen": history[0][0],
        "last_seen": history[-1][0],
        "priority": latest.priority,
        "title": about.title,
        "described_by": about.event,
    }


def _key(report: Said) -> tuple[datetime, Report.Action, str]:
    return report.at, report.action, report.event


def held(identity: str = "a") -> dict[str, Any]:
    names = ("state", "changed_at", "occurrences", "first_seen", "last_seen", "priority", "title", "described_by")
    return dict(Alert.objects.values(*names).get(identity=identity))


# --- one by one ----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("actions", "state"),
    [
        ([TRIGGER], "triggered"),
        ([TRIGGER, ACKNOWLEDGE], "acknowledged"),
        ([TRIGGER, ACKNOWLEDGE, TRIGGER], "acknowledged"),
        ([TRIGGER, ACKNOWLEDGE, RESOLVE], "resolved"),
        ([TRIGGER, RESOLVE, ACKNOWLEDGE], "resolved"),
        ([TRIGGER, RESOLVE, ACKNOWLEDGE, TRIGGER], "triggered"),
        ([TRIGGER, ACKNOWLEDGE, RESOLVE, TRIGGER], "triggered"),
        ([TRIGGER, ACKNOWLEDGE, RESOLVE, TRIGGER, ACKNOWLEDGE, TRIGGER], "acknowledged"),
        ([RESOLVE], "resolved"),
        ([ACKNOWLEDGE], "acknowledged"),
        ([ACKNOWLEDGE, TRIGGER], "triggered"),
    ],
)
def test_the_state_in_whatever_order_the_reports_come(actions: list[Report.Action], state: str) -> None:
    reports = [said(action, minute) for minute, action in enumerate(actions)]
    assert told(reports)["state"] == state
    for order in itertools.permutations(reports) if len(reports) <= 4 else [reports, reports[::-1]]:
        with transaction.atomic():
            for report in order:
                save_reports([report])
            assert held() == told(reports)
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_at_equal_times_a_resolve_beats_an_acknowledgement_and_that_a_trigger() -> None:
    save_reports([said(ACKNOWLEDGE), said(TRIGGER)])
    assert held()["state"] == "acknowledged"
    save_reports([said(RESOLVE)])
    save_reports([said(TRIGGER, event="another")])
    assert held()["state"] == "resolved"


@pytest.mark.django_db
def test_a_resolve_that_comes_late_moves_the_opening_to_the_first_trigger_after_it() -> None:
    for minute in (0, 2, 4):
        save_reports([said(TRIGGER, minute)])
    save_reports([said(RESOLVE, 1)])
    assert Alert.objects.get().opened_at == NOON + timedelta(minutes=2)
    save_reports([said(ACKNOWLEDGE, 3)])
    assert held()["state"] == "acknowledged"


@pytest.mark.django_db
def test_when_the_reports_are_no_longer_kept_it_opened_with_its_newest_trigger() -> None:
    save_reports([said(TRIGGER, 0), said(TRIGGER, 4)])
    Report.objects.all().delete()
    save_reports([said(RESOLVE, 1)])
    assert (held()["state"], held()["changed_at"]) == ("triggered", NOON + timedelta(minutes=4))


@pytest.mark.django_db
def test_a_copy_changes_nothing() -> None:
    reports = [said(TRIGGER, 0), said(TRIGGER, 1), said(RESOLVE, 2)]
    save_reports([*reports, *reports])
    first = held()
    save_reports(reports)
    assert held() == first
    assert first["occurrences"] == 2


@pytest.mark.django_db
def test_title_and_labels_are_those_of_the_newest_trigger_that_has_a_title() -> None:
    save_reports([said(TRIGGER, 0, labels="\nhost=a\n"), said(RESOLVE, 5, title="ok again", priority="low")])
    save_reports([said(TRIGGER, 3, title="disk fuller", labels="\nhost=b\nn=1\n", priority="critical")])
    save_reports([said(TRIGGER, 4, title="")])
    alert = Alert.objects.get()
    assert (alert.title, alert.labels, alert.priority) == ("disk fuller", "\nhost=b\nn=1\n", "high")


def test_labels_are_kept_one_a_line_and_no_more_than_fit() -> None:
    assert problems.lines_of({}) == ""
    assert problems.lines_of({"b": "1\n2", "a": ""}) == "\na=\nb=1 2\n"
    assert problems.lines_of({"n": 2**70, "up": None, "zones": ["a", 1]}) == f'\nn={2**70}\nup=null\nzones=["a",1]\n'
    assert problems.lines_of({"a": "1", "b": "x" * problems.LABELS_LENGTH}) == "\na=1\n"


@pytest.mark.django_db
def test_a_batch_is_a_few_statements_however_many_problems_it_is_about() -> None:
    reports = [said(TRIGGER, number, identity=f"{number % 190:032x}", event=str(number)) for number in range(200)]
    with CaptureQueriesContext(connection) as asked:
        save_reports(reports)
    assert len(asked) == (6 if connection.vendor == "postgresql" else 2)
    assert Alert.objects.count() == 190
    save_reports([])


@pytest.mark.django_db
def test_more_than_one_statement_holds() -> None:
    many = [said(TRIGGER, number, identity=f"{number:032x}") for number in range(1_001)]
    save_reports(many)
    save_reports(many)
    assert Alert.objects.filter(occurrences=1).count() == len(many)


# --- whatever the order, and however often --------------------------------------------------------

_REPORTS = st.lists(
    st.builds(
        said,
        st.sampled_from([TRIGGER, TRIGGER, ACKNOWLEDGE, RESOLVE]),
        st.integers(0, 12),
        event=st.integers(10, 99).map(str),
        title=st.sampled_from(["", "disk full", "disk fuller"]),
        priority=st.sampled_from(["critical", "high", "low"]),
    ),
    min_size=1,
    max_size=14,
    # One event says one thing.
    unique_by=lambda report: report.event,
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Said], list[list[Said]]]:
    """Reports, and batches that bring each of them, shuffled, some of them again."""
    reports = draw(_REPORTS)
    again = draw(st.lists(st.sampled_from(reports), max_size=5))
    order = draw(st.permutations([*reports, *again]))
    batches: list[list[Said]] = [[]]
    for report in order:
        if draw(st.booleans()):
            batches.append([])
        batches[-1].append(report)
    return reports, batches


def settle(delivered: tuple[list[Said], list[list[Said]]]) -> None:
    reports, batches = delivered
    with transaction.atomic():
        for batch in batches:
            save_reports(batch)
        assert held() == told(reports)
        transaction.set_rollback(True)


def _property(examples: int) -> Callable[..., None]:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

    @settings(max_examples=examples, deadline=None, suppress_health_check=checks)
    @given(delivered=deliveries())
    def holds(delivered: tuple[list[Said], list[list[Said]]]) -> None:
        settle(delivered)

    return holds


@pytest.mark.django_db
def test_every_order_and_every_copy_settles_to_the_same_row() -> None:
    _property(200)()


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.django_db
def test_every_order_and_every_copy_settles_to_the_same_row_in_ten_thousand_examples() -> None:
    _property(10_000)()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_four_workers_with_shuffled_and_doubled_deliveries_settle_to_the_same_rows(seed: int) -> None:
    """Each worker gets every report, in an order of its own, in batches of its own."""
    chance = random.Random(seed)
    names = [f"{number:032x}" for number in range(12)]
    actions = [TRIGGER, TRIGGER, TRIGGER, ACKNOWLEDGE, RESOLVE]
    reports = [
        said(chance.choice(actions), chance.randrange(40), identity=chance.choice(names), event=f"{number:032x}")
        for number in range(240)
    ]
    orders = [chance.sample(reports, len(reports)) for _ in range(4)]
    sizes = [[chance.randrange(1, 25) for _ in reports] for _ in range(4)]

    def work(number: int) -> None:
        left = orders[number]
        try:
            for size in sizes[number]:
                batch, left = left[:size], left[size:]
                if batch:
                    in_transaction(lambda batch=batch: save_reports(batch))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        for done in [workers.submit(work, number) for number in range(4)]:
            done.result()
    for name in names:
        assert held(name) == told([report for report in reports if report.identity == name])
    assert Report.objects.count() == len(reports)
