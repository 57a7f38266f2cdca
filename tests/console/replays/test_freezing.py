"""The set of a replay is written down whole, whatever stands in between (X1, issue 8 part 4)."""

from typing import Any

import pytest
import redis
from django.db import OperationalError

from queueadmin.console.dead_letters import reading
from queueadmin.console.models import ReplayChunk
from queueadmin.console.replays import freezing
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_redis_that_restarts_while_it_is_written_down_costs_the_set_nothing(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended with the jobs that it had met until then, and said "done" of them."""
    jobs.fail(300)
    replay = stage.start()
    asked = 0

    def restarts(*args: Any) -> list[tuple[str, float]]:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise redis.ConnectionError("Connection closed by server.")
        return reading_page(*args)

    reading_page = reading.newest
    monkeypatch.setattr(reading, "newest", restarts)
    with pytest.raises(redis.ConnectionError):
        stage.step(replay)
    assert stage.step(replay).frozen_at
    assert (replay.size, replay.in_flight) == (300, 300)


def test_a_database_that_was_locked_while_it_is_written_down_costs_the_set_nothing(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.fail(30)
    replay = stage.start()

    def locked(*args: Any) -> None:
        monkeypatch.undo()
        raise OperationalError("database is locked")

    monkeypatch.setattr(freezing, "CHUNK", 7)
    monkeypatch.setattr(ReplayChunk.objects, "bulk_create", locked)
    with pytest.raises(OperationalError):
        stage.step(replay)
    assert stage.step(replay).frozen_at
    assert (replay.size, replay.in_flight) == (30, 30)
    assert sum(len(chunk.marks) for chunk in ReplayChunk.objects.all()) == 30
