"""What a filter chooses before a replay is begun, by the index and without it (X1, X3)."""

import pytest
import redis

from ingest.queue.connections import server_time
from queueadmin.console.failures import Indexer
from queueadmin.console.filters import parse
from queueadmin.console.replays import choosing
from tests.console.conftest import Jobs

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
