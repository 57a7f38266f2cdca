"""Why most jobs die, on the overview (issue 7)."""

from datetime import UTC, datetime

import pytest

from queueadmin.console.failures import Indexer
from queueadmin.console.failures.largest import SHOWN, largest
from queueadmin.console.failures.triage import TREND
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import fail
from tests.console.failures.test_triage import age

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_the_largest_stand_first_with_their_last_two_hours(indexer: Indexer, jobs: Jobs) -> None:
    old = fail(jobs, 2, message="device 17 is gone", queue="low", reason="poison")
    fail(jobs, 4, message="host db-1.example.com is away", kind="app.ConnectTimeout", source="zabbix")
    for number in range(SHOWN):
        fail(jobs, 1, message="rare", kind=f"app.Rare{'x' * number}Error")
    indexer.step()
    age(150, *old)
    found = largest(now=datetime.now(UTC))
    assert (found.groups, found.count, len(found.causes)) == (SHOWN + 2, SHOWN + 6, SHOWN)
    first, second = found.causes[:2]
    assert (first.count, first.nature, sum(first.trend), len(first.trend)) == (4, "systemic", 4, TREND)
    assert first.trend[-1] == 4
    assert (second.count, second.nature, sum(second.trend)) == (2, "poison", 0)


def test_without_dead_letters_there_are_none(indexer: Indexer) -> None:
    assert largest(now=datetime.now(UTC)).causes == ()
