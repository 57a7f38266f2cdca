"""A replay's row and those who change it at once."""

import pytest
import redis

from queueadmin.console.models import Replay
from queueadmin.console.replays.engine import Engine
from queueadmin.console.replays.versions import Overtaken
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_two_leaders_at_once_count_nothing_twice(stage: Stage, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """A leader that was stopped in mid-step goes on with a row that another one has changed."""
    ids = jobs.fail(40)
    replay = stage.start(ramp=(10,))
    stage.step(replay)
    stage.work(fails=ids[:2])
    stale = Replay.objects.get(pk=replay.pk)
    stage.step(replay)
    before = (replay.succeeded, replay.failed, replay.in_flight)
    with pytest.raises(Overtaken):
        Engine(empty_redis)._one(stale, {}, stale.created_at)
    replay.refresh_from_db()
    assert (replay.succeeded, replay.failed, replay.in_flight) == before
