"""What a filter chooses before a replay is begun, by the index and without it (X1, X3)."""

import pytest
import redis

from ingest.queue.connections import server_time
from queueadmin.console import operations
from queueadmin.console.failures import Indexer
from queueadmin.console.filters import parse
from queueadmin.console.replays import choosing
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.mark.parametrize("is_indexed", [True, False])
def test_it_is_counted_by_the_index_and_without_it(is_indexed: bool, empty_redis: redis.Redis, jobs: Jobs) -> None:
    jobs.fail(5, source="zabbix")
    jobs.fail(2, source="zabbix", reason="poison")
    jobs.fail(3, source="other")
    marked = [*jobs.fail(3, source="zabbix"), *jobs.fail(1, source="zabbix", reason="poison")]
    jobs.transitions.mark("high", marked, permanent=True)
    if is_indexed:
        indexer = Indexer(empty_redis, lambda: True)
        while not indexer.step().complete:
            pass
    now = server_time(empty_redis)
    found = choosing.choice(empty_redis, parse("source:zabbix"), now=now, trash=False, most=100)
    assert (found.count, found.poison, found.permanent, found.more, found.others) == (11, 3, 3, False, 0)
    assert [(group.error_type, group.count) for group in found.groups] == [("ValueError", 11)]
    few = choosing.choice(empty_redis, parse("source:zabbix"), now=now, trash=False, most=3)
    assert (few.count, few.more) == ((11, False) if is_indexed else (3, True))


def test_what_is_in_the_trash_is_read_there(empty_redis: redis.Redis, jobs: Jobs) -> None:
    jobs.transitions.discard("high", jobs.fail(3)[:2])
    found = choosing.choice(empty_redis, parse(""), now=server_time(empty_redis), trash=True, most=100)
    assert (found.count, found.more) == (2, False)


def test_a_filter_that_few_match_is_looked_for_no_longer_than_somebody_waits(
    empty_redis: redis.Redis, jobs: Jobs, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an index it read all, 40 s for 60,000, on the page and at its begin. The set is whole all the same."""
    monkeypatch.setattr("queueadmin.console.replays.choosing.LOOKING", 0)
    monkeypatch.setattr("queueadmin.console.operations.replays.LOOKING", 0)
    oldest = jobs.fail(1, source="rare")
    jobs.fail(300)
    found = choosing.choice(empty_redis, parse("source:rare"), now=server_time(empty_redis), trash=False, most=20_000)
    assert (found.count, found.more) == (0, True)
    with pytest.raises(operations.ReasonNeeded, match="Nobody counted how many jobs would be retried; so say why"):
        stage.start("source:rare", reason="")
    replay = stage.step(stage.start("source:rare"))
    assert (replay.size, stage.work()) == (1, oldest)
