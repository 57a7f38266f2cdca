"""What failed again is counted and named, whatever text it raised (issue 8 part 4)."""

import pytest
from django.db import DataError

from ingest.queue.transitions import Failure, new_id
from queueadmin.console.replays.engine import Engine
from tests.console.conftest import WORKER, Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.mark.parametrize(
    ("error_type", "message", "named"),
    [("app.Bad\0Name", "a\0b \0", "app.Bad\ufffdName"), ("app." + "E" * 2_000, "x" * 5_000, "app." + "E" * 251)],
)
def test_an_error_of_any_text_stops_it_and_is_named(
    stage: Stage, jobs: Jobs, error_type: str, message: str, named: str
) -> None:
    """PostgreSQL has no NUL in a text, and 500 characters for why it stopped: every replay stood still for ever."""
    jobs.fail(4)
    replay = stage.step(stage.start(canary=2, ramp=(1,), stop_new_errors=1))
    claim = jobs.transitions.claim(WORKER, ["high"], claim_id=new_id(), limit=100, lease=30)
    assert claim
    failures = [Failure(job.id, "Traceback", retry=True, error_type=error_type, message=message) for job in claim.jobs]
    jobs.transitions.fail("high", claim.id, WORKER, failures)
    stage.step(stage.step(replay))
    assert (replay.state, replay.failed, replay.settled) == ("stopped", 2, True)
    assert replay.why == f"A new error appeared 2 times: {named}."
    assert [error["type"] for error in replay.errors.values()] == [named]


def test_one_that_the_database_refuses_does_not_keep_the_others(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.fail(3)
    refused, other = stage.start(), stage.start()
    go_on = Engine._one

    def one(self: Engine, replay: object, *args: object) -> None:
        if replay == refused:
            raise DataError("value too long for type character varying(500)")
        go_on(self, replay, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "_one", one)
    with pytest.raises(DataError):
        stage.step(other)
    other.refresh_from_db()
    assert other.in_flight == 3
