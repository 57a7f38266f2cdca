"""When jobs failed, of which causes, and which they are (issue 8 parts 2 and 3)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from queueadmin.console.failures import Indexer
from queueadmin.console.failures.counting import BARS
from queueadmin.console.failures.triage import TREND, Triage, cause_of, nature, rows, triage
from queueadmin.console.filters import parse
from queueadmin.console.models import Failure, FailureGroup
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import fail

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def asked(text: str = "", *, group: str = "", span: str = "") -> Triage:
    return triage(parse(text), now=datetime.now(UTC), group=group, span=span)


def age(minutes: float, *ids: str) -> None:
    """Let the index say that these failed so long ago."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    Failure.objects.filter(job_id__in=ids).update(failed_at=at, minute=int(at.timestamp()) // 60)


def test_groups_stand_by_their_size_with_what_is_known_of_them(indexer: Indexer, jobs: Jobs) -> None:
    fail(jobs, 4, message="host db-1.example.com is away", kind="app.ConnectTimeout", source="zabbix")
    fail(jobs, 2, message="device 17 is gone", queue="low", reason="poison")
    indexer.step()
    found = asked()
    assert (found.count, found.causes) == (6, 2)
    first, second = found.groups
    assert (str(first.group), first.count, first.nature) == ("ConnectTimeout: host <host> is away", 4, "systemic")
    assert (str(second.group), second.count, second.nature) == ("ValueError: device <number> is gone", 2, "poison")
    assert (second.group.queues, first.group.sources, first.group.payloads) == ({"low": 2}, {"zabbix": 4}, 4)
    assert first.first_at <= first.last_at
    assert sum(first.trend) == 4
    assert len(first.trend) == TREND
    assert asked("queue:low").count == 2
    assert [cause.count for cause in asked("queue:low").groups] == [2]


def test_x4_a_window_chooses_groups_and_the_bars_show_what_is_around_it(indexer: Indexer, jobs: Jobs) -> None:
    before, within = fail(jobs, 3), fail(jobs, 2, message="broken pipe", kind="BrokenPipeError")
    indexer.step()
    age(100, *before)
    age(30, *within)
    now = datetime.now(UTC)
    window = (
        f"since:{now - timedelta(minutes=40):%Y-%m-%dT%H:%M:%SZ} until:{now - timedelta(minutes=20):%Y-%m-%dT%H:%M:%SZ}"
    )
    found = asked(window)
    assert (found.count, found.causes, found.span) == (2, 1, "3h")
    assert sum(bar.count for bar in found.bars) == 5
    group = found.groups[0].group.pk
    assert sum(bar.own for bar in asked(window, group=group).bars) == 2
    assert [row.id for row in rows(parse(window), now=now).items] == within[::-1]


def test_bars_are_few_without_gaps_and_end_now(indexer: Indexer, jobs: Jobs) -> None:
    ids = jobs.fail(2)
    indexer.step()
    age(60 * 24 * 400, ids[0])
    for span in ("3h", "24h", "7d", "30d", "all"):
        bars = asked(span=span).bars
        assert len(bars) <= BARS + 1
        assert all(bar.end == after.start for bar, after in pairwise(bars))
        assert bars[-1].start <= datetime.now(UTC) < bars[-1].end + timedelta(minutes=1)
        assert sum(bar.count for bar in bars) == (2 if span == "all" else 1)


@pytest.mark.parametrize(("minutes", "span"), [(1, "3h"), (200, "24h"), (2000, "7d"), (20_000, "30d"), (99_000, "all")])
def test_the_shortest_time_that_shows_the_newest_is_shown(
    indexer: Indexer, jobs: Jobs, minutes: int, span: str
) -> None:
    ids = jobs.fail()
    indexer.step()
    age(minutes, *ids)
    assert asked().span == span
    assert asked(span="nonsense").span == span


def test_nothing_failed(indexer: Indexer) -> None:
    indexer.step()
    found = asked(span="all")
    assert (found.count, found.groups, sum(bar.count for bar in found.bars)) == (0, (), 0)


def test_rows_go_on_where_a_page_ended_also_among_failures_of_one_moment(indexer: Indexer, jobs: Jobs) -> None:
    ids = jobs.fail(7)
    indexer.step()
    age(5, *ids[2:])
    seen: list[str] = []
    cursor = ""
    while True:
        page = rows(parse(""), now=datetime.now(UTC), cursor=cursor, limit=2)
        seen += [row.id for row in page.items]
        if not page.next:
            break
        cursor = page.next
    assert seen[:2] == ids[1::-1]
    assert sorted(seen) == sorted(ids)
    assert len(seen) == 7


@pytest.mark.parametrize(
    ("count", "payloads", "is_"),
    [
        (1, 1, ""), (2, 2, ""), (3, 3, "systemic"), (4210, 4196, "systemic"),
        (118, 3, "poison"), (14, 1, "poison"), (3, 1, ""), (4, 1, "poison"), (10, 4, ""), (0, 0, ""),
    ],
)  # fmt: skip
def test_x3_systemic_is_one_cause_with_many_payloads_and_poison_the_same_again(
    count: int, payloads: int, is_: str
) -> None:
    assert nature(count, payloads) == is_
    assert nature(count, payloads, crashed=True) == "poison"


def test_a_group_by_itself(indexer: Indexer, jobs: Jobs) -> None:
    ids = jobs.fail(3, reason="poison")
    indexer.step()
    (group,) = FailureGroup.objects.all()
    found = cause_of(group.pk)
    assert found is not None
    assert (found.count, found.nature) == (3, "poison")
    jobs.transitions.discard("high", ids)
    indexer._refresh_at = 0.0
    indexer.step()
    left = cause_of(group.pk)
    assert left is not None
    assert (left.count, left.nature) == (0, "")
    assert cause_of("nonsense\0") is None
