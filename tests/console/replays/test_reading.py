"""What is told of a replay: its outcome, what it left out, and where each part of that is found."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from ingest.queue import keys
from ingest.queue.connections import connection, server_time
from queueadmin.console import operations
from queueadmin.console.failures import matching
from queueadmin.console.filters import parse
from queueadmin.console.models import ReplayChunk
from queueadmin.console.replays import outcome, reading
from tests.console.conftest import Jobs  # fmt: skip
from tests.console.conftest import outcome as audited_outcome
from tests.console.dead_letters.conftest import dlq
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_what_is_marked_permanent_is_left_out_and_asked_for_apart_from_poison(stage: Stage, jobs: Jobs) -> None:
    poison, marked, both, (plain,) = (
        jobs.fail(2, reason="poison"),
        jobs.fail(2),
        jobs.fail(reason="poison"),
        jobs.fail(),
    )
    jobs.transitions.mark("high", [*marked, *both], permanent=True)
    frozen = {
        (): {plain},
        ("poison",): {plain, *poison},
        ("permanent",): {plain, *marked},
        ("poison", "permanent"): {plain, *poison, *marked, *both},
    }
    for asked, chosen in frozen.items():
        # The canary does not go, so that each finds the same.
        replay = stage.start(ramp=(1,), **{f"include_{each}": True for each in asked})
        operations.pause_replay(replay.pk, actor="ada")
        stage.step(replay)
        (chunk,) = ReplayChunk.objects.filter(replay=replay)
        assert {job_id for job_id, _ in json.loads(chunk.places)} == chosen, asked
        assert replay.size + replay.poison_left + replay.permanent_left == 6
        left = [part.link for part in reading.left(replay)]
        assert [len(listed(link)) for link in left] == [n for n in (replay.poison_left, replay.permanent_left) if n]
    assert not reading.left(replay)


def listed(link: str) -> list[str]:
    """Where a part of the outcome leads to."""
    chosen = parse(parse_qs(urlsplit(link).query)["filter"][0])
    return [record.id for record in matching(connection(), chosen, now=server_time(connection()))]


def test_the_outcome_tells_poison_and_marked_apart(stage: Stage, jobs: Jobs) -> None:
    jobs.fail(9, reason="poison")
    jobs.transitions.mark("high", jobs.fail(3), permanent=True)
    jobs.fail()
    replay = stage.step(stage.start())
    stage.work()
    stage.step(replay)
    said = "Of 1: 1 succeeded; 12 jobs left out: 9 poison, 3 marked permanent."
    assert (outcome(replay), audited_outcome().outcome) == (said, said)


def test_what_others_do_with_a_released_job_is_told_apart(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    replay = stage.step(stage.start())
    jobs.transitions.cancel("high", ids[:1])
    jobs.transitions.discard("high", ids[1:2])
    stage.redis.delete(keys.job(ids[2]))
    stage.step(replay)
    assert outcome(replay) == "Of 3: 0 succeeded, 2 moved by others meanwhile, 1 without a trace."


def test_the_dead_letters_of_a_replay_are_found_by_its_number(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    replay = stage.step(stage.start())
    stage.work(fails=ids[:1])
    stage.step(replay)
    assert ids[0] in dlq("list", f"replay:{replay.pk}")
    assert dlq("export", f"replay:{replay.pk}").count("\n") == 2
