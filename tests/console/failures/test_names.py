"""Dead letters with ids that no column holds are in the index like others (issue 8 part 1: every dead letter)."""

import pytest
import redis

from ingest.queue import keys
from ingest.queue.connections import server_time
from queueadmin.console import operations
from queueadmin.console.failures import Indexer, triage
from queueadmin.console.failures.names import LONGEST, id_of, name_of, whole_id
from queueadmin.console.filters import Filter, parse
from queueadmin.console.filters.terms import Field
from queueadmin.console.models import Failure, FailureGroup
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import fail
from tests.console.failures.test_finding import by_index, by_page, by_replay
from tests.console.policies.conftest import Shelf
from tests.console.replays.conftest import Stage
from tests.console.test_job_address import ODD, rename

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def odd(jobs: Jobs, indexer: Indexer, empty_redis: redis.Redis) -> list[str]:
    """As a stock worker leaves them: half of them with a score that is no time. Indexed."""
    made = [rename(empty_redis, old, new) for old, new in zip(fail(jobs, len(ODD)), ODD, strict=True)]
    for job_id in made[::2]:
        empty_redis.zadd(keys.failed("high"), {job_id: -1})
    told = indexer.step()
    assert (told.rows, told.left_out, told.behind, told.complete) == (len(ODD), 0, 0, True)
    empty_redis.persist(keys.FAILURES)
    return made


@pytest.mark.django_db(transaction=False)
def test_a_name_is_one_ids_alone() -> None:
    names = [name_of(job_id) for job_id in ODD]
    assert len(set(names)) == len(ODD)
    assert all(len(name) <= LONGEST and "\0" not in name for name in names)
    assert [id_of(name_of(job_id), whole_id(job_id)) for job_id in ODD] == list(ODD)
    long = name_of("x" * 300)
    assert name_of(long) != long, "an id that looks like a name is named as well"


def test_all_find_them_by_filters_and_by_their_ids(odd: list[str], empty_redis: redis.Redis) -> None:
    """They were in no filter while the index was used."""
    for found in (by_index(empty_redis, Filter()), by_page(Filter()), by_replay(empty_redis, Filter())):
        assert found == set(odd)
    assert by_index(empty_redis, parse("source:test device")) == set(odd)
    for job_id in odd:
        chosen = Filter((Field("id", (job_id,)),))
        assert by_index(empty_redis, chosen) == by_page(chosen) == {job_id}, repr(job_id)


def test_they_are_counted_marked_and_forgotten(odd: list[str], indexer: Indexer, jobs: Jobs) -> None:
    (group,) = FailureGroup.objects.all()
    assert group.count == len(odd)
    assert triage.triage(Filter(), now=server_time(indexer._client)).count == len(odd)
    assert len(operations.mark(odd, permanent=True, actor="ada").moved) == len(odd)
    assert Failure.objects.filter(permanent=True).count() == len(odd)
    assert operations.retry(odd[:20], actor="ada").moved == tuple(odd[:20])
    operations.discard(odd[20:-1], actor="ada")
    indexer.step()
    assert {id_of(row.job_id, row.whole_id) for row in Failure.objects.all()} == {odd[-1]}


def test_a_replay_and_its_end(odd: list[str], jobs: Jobs, empty_redis: redis.Redis, indexer: Indexer) -> None:
    stage = Stage(empty_redis, jobs)
    replay = stage.step(stage.start("source:test", kind="discard"))
    assert (stage.step(replay).state, replay.succeeded) == ("done", len(odd))
    undone = stage.step(stage.start("state:trash", kind="restore"))
    assert (stage.step(undone).state, undone.succeeded) == ("done", len(odd))
    indexer.step()
    again = stage.step(stage.start())
    assert again.in_flight == len(odd)
    stage.work(fails=odd)
    assert (stage.step(again).state, again.failed) == ("done", len(odd))


def test_a_policy_takes_them(odd: list[str], jobs: Jobs, empty_redis: redis.Redis) -> None:
    shelf = Shelf(empty_redis, jobs)
    shelf.age([name_of(job_id) for job_id in odd], *range(40, 40 + len(odd)))
    shelf.keep(count=3)
    shelf.step()
    assert shelf.dead() == set(odd[:3])
