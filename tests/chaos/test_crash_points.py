"""A sample of the crash points, those that decide the design; `make chaos --only crash-points` lives through all."""

from collections.abc import Iterator

import pytest

from ingest.queue import keys
from tests.chaos.crash_points import live, points
from tests.chaos.lane import Lane
from tests.chaos.lives import LIVES
from tests.chaos.points import Point, Program, Store, Strike, When
from tests.chaos.roles import QUEUE
from tests.postgres import Cluster

LIFE = {life.name: life for life in LIVES}


@pytest.fixture(scope="module")
def sqlite_lane() -> Iterator[Lane]:
    lane = Lane(None, name="test")
    yield lane
    lane.close()


@pytest.fixture(scope="module")
def postgresql_lane(postgres: Cluster) -> Iterator[Lane]:
    lane = Lane(postgres, name="test")
    yield lane
    lane.close()


def strike_in(lane: Lane, life: str, program: Program, store: Store, name: str, when: When) -> None:
    outcome = live(lane, LIFE[life], Strike(Point(program, store, name, 1), when))
    assert outcome.struck, f"no such message in {life}: {lane.watch.seen}"
    assert not outcome.findings.wrong
    assert (outcome.findings.lost, outcome.findings.doubled) == (0, 0)


@pytest.mark.parametrize(
    ("life", "program", "store", "name", "when"),
    [
        ("processed", "worker", "redis", "script claim", "after"),
        ("processed", "worker", "sqlite", "COMMIT", "before"),
        ("processed", "worker", "sqlite", "COMMIT", "after"),
        ("processed", "worker", "redis", "script complete", "reply"),
        ("recovered", "maintain", "redis", "script recover", "after"),
        ("requeued", "operator", "redis", "script requeue", "reply"),
        ("keyed", "web", "redis", "script enqueue", "after"),
        ("keyed-across", "web", "sqlite", "COMMIT", "after"),
    ],
)
def test_on_sqlite_nothing_is_lost_or_doubled_at(
    sqlite_lane: Lane, life: str, program: Program, store: Store, name: str, when: When
) -> None:
    """RQ2, RQ4, RQ12: killed after the claim, around the commit, answer of complete lost, killed after recover.

    Rule 5: the web process is killed when a keyed request is stored, and the sender repeats it.
    """
    strike_in(sqlite_lane, life, program, store, name, when)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("life", "program", "store", "name", "when"),
    [
        ("processed", "worker", "postgresql", "COMMIT", "after"),
        ("processed", "worker", "postgresql", "COMMIT", "reply"),
        ("retried", "worker", "redis", "script fail", "after"),
    ],
)
def test_on_postgresql_nothing_is_lost_or_doubled_at(
    postgresql_lane: Lane, life: str, program: Program, store: Store, name: str, when: When
) -> None:
    """The commit whose outcome its worker never learns is the one that doubles elsewhere."""
    strike_in(postgresql_lane, life, program, store, name, when)


def test_the_messages_of_a_life_are_numbered_in_their_order(sqlite_lane: Lane) -> None:
    found = points(sqlite_lane, LIFE["buried"])
    assert [(point.name, point.number) for point in found[:2]] == [("script claim", 1), ("script fail", 1)]


def test_what_is_lost_or_doubled_is_found(sqlite_lane: Lane) -> None:
    """The oracle itself: a job that vanishes, an effect that happens twice."""
    lane = sqlite_lane
    outcome = live(lane, LIFE["processed"], None)
    assert not outcome.findings.wrong
    lane.begin(None)
    vanished = lane.put({"title": "a"})[0]
    lane.redis.delete(keys.queue(QUEUE))
    found = lane.findings({vanished: "processed"})
    assert (found.lost, found.doubled) == (1, 0)
    assert found.wrong[0] == f"{vanished} is nowhere, not processed"
    assert any("enqueued" in sentence for sentence in found.wrong)
