"""One look tells the bars of every length of time (issue 8 part 3)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from queueadmin.console.failures import Indexer, triage
from queueadmin.console.failures.counting import ALL, BARS, SPANS, _scale, counts
from queueadmin.console.filters import Filter
from queueadmin.console.models import Failure
from tests.console.conftest import Jobs
from tests.console.failures.test_triage import age

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_bars_of_a_length_are_whole_bars_of_the_shorter_ones() -> None:
    scales = [_scale(29_930_000, minutes) for minutes in SPANS.values()]
    assert all(longer.step % shorter.step == 0 for shorter, longer in pairwise(scales))
    assert all(minutes // scale.step < BARS for minutes, scale in zip(SPANS.values(), scales, strict=True))


@pytest.mark.parametrize(("newest", "span"), [(2, "3h"), (181, "24h"), (1500, "7d"), (11_000, "30d")])
@pytest.mark.parametrize("window", [False, True])
def test_what_is_counted_without_saying_the_span_is_what_is_counted_with_it(
    indexer: Indexer, jobs: Jobs, newest: int, span: str, window: bool
) -> None:
    ids = jobs.fail(9)
    indexer.step()
    for number, job_id in enumerate(ids):
        age(newest + 7 * number * newest, job_id)
    now = datetime.now(UTC)
    until = now - timedelta(minutes=3 * newest) if window else None
    found, asked = (counts(Failure.objects.all(), now=now, span=each, since=None, until=until) for each in ("", span))
    assert found == asked
    assert found.span == span
    (cause,) = found.causes.values()
    assert cause.count == (8 if window else 9)
    assert sum(cause.bars.values()) == sum(row.minute >= found.scale.start for row in Failure.objects.only("minute"))


@pytest.mark.parametrize("span", ["", *SPANS, ALL])
def test_what_lies_ahead_of_the_clock_stands_in_the_last_bar(indexer: Indexer, jobs: Jobs, span: str) -> None:
    """It was counted among the causes, and was in no bar."""
    ids = jobs.fail(4)
    indexer.step()
    for job_id in ids[:3]:
        age(-3000, job_id)
    found = triage.triage(Filter(), now=datetime.now(UTC), span=span)
    assert found.span == (span or "3h")
    assert (found.count, sum(bar.count for bar in found.bars)) == (4, 4)
    assert [bar.ahead for bar in found.bars] == [*[0] * (len(found.bars) - 1), 3]
    assert sum(found.groups[0].trend) == 4


def test_when_all_lies_ahead_there_is_a_bar_still(indexer: Indexer, jobs: Jobs) -> None:
    (job_id,) = jobs.fail(1)
    indexer.step()
    age(-3000, job_id)
    assert [bar.count for bar in triage.triage(Filter(), now=datetime.now(UTC), span=ALL).bars] == [1]
