"""Rule 10: under pressure low is refused first and critical never; each event says so, and may come again."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from ingest.api import admission, pressure
from ingest.api.pressure import Cause, Watch, shed_at
from ingest.priorities import Priority
from tests.conftest import wait_until
from tests.ingest.api.conftest import ALERT, EVENTS, Post, stored_ids

FOUR = [{"priority": priority, "id": priority} for priority in ("low", "medium", "high", "critical")]


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Redis' memory, in percent, as the last reading found it."""

    def percent(value: float) -> None:
        monkeypatch.setattr(pressure.watch, "shed", lambda: shed_at(value, None, 0))

    return percent


@pytest.mark.parametrize(
    ("percent", "statuses"),
    [
        (74.9, [202, 202, 202, 202]),
        (75, [503, 202, 202, 202]),
        (85, [503, 503, 202, 202]),
        (95, [503, 503, 503, 202]),
        (120, [503, 503, 503, 202]),
    ],
)
def test_low_goes_first_and_critical_never(
    post: Post, used: Any, percent: float, statuses: list[int], empty_redis: redis.Redis
) -> None:
    used(percent)

    answer = post(EVENTS, FOUR, headers={"prefer": "return=representation"})

    assert answer.status == (202 if 503 not in statuses else 207)
    items = answer.json["items"]
    assert [item["status"] for item in items] == statuses
    assert answer.json["rejected"] == statuses.count(503)
    assert len(stored_ids(empty_redis)) == statuses.count(202)
    for item in items:
        if item["status"] == 503:
            assert (item["error"]["code"], item["retryable"], item["error"]["limit"]) == ("shed", True, "redis_memory")
            assert item["event_id"] == item["error"]["priority"]


def test_one_event_that_is_shed_is_503_with_retry_after(post: Post, used: Any, empty_redis: redis.Redis) -> None:
    used(80)

    for answer in (post(EVENTS, {"severity": "info"}), post(ALERT, {"title": "no severity is low here"})):
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert 10 <= int(answer.headers["retry-after"]) <= 13
        problem = answer.json
        assert (problem["code"], problem["retryable"], problem["priority"]) == ("shed", True, "low")
        assert (problem["limit"], problem["limit_value"]) == ("redis_memory", 75)
        assert "80.0 % used" in problem["detail"]
    assert not stored_ids(empty_redis)


def test_when_all_are_shed_the_answer_is_503(post: Post, used: Any, empty_redis: redis.Redis) -> None:
    used(96)

    answer = post(EVENTS, [{"priority": "low"}, {"title": 7}, {"priority": "high"}])

    assert (answer.status, answer.json["code"], answer.json["retryable"]) == (503, "shed", True)
    assert "retry-after" in answer.headers
    assert [item["status"] for item in answer.json["items"]] == [503, 422, 503]
    assert not stored_ids(empty_redis)


def test_what_is_shed_takes_nothing_from_the_rate(post: Post, used: Any, make_key: Any) -> None:
    headers = {"x-api-key": make_key("edge", "ingest", "--rate=0.01", "--burst=1")}
    used(80)
    for _ in range(3):
        assert post(EVENTS, {"priority": "low"}, headers=headers).status == 503
    assert post(EVENTS, {"priority": "critical"}, headers=headers).status == 202


def test_every_event_that_is_shed_is_counted_by_reason(post: Post, used: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Any] = []
    monkeypatch.setattr(
        admission, "refused", lambda code, sender, priority, source: counted.append((code, sender.name, str(priority)))
    )
    used(86)

    post(EVENTS, FOUR)

    assert counted == [("shed_redis_memory", "local", "low"), ("shed_redis_memory", "local", "medium")]


@pytest.mark.parametrize(
    ("free", "gib", "shed"),
    [
        (10.0, 1, ""),
        (9.9, 1, "low"),
        (4.9, 1, "low medium"),
        (2.4, 1, "low medium high"),
        (0.0, 0, "low medium high"),
        # A large disk: 9 % of it are plenty.
        (9.9, 500, ""),
        (2.4, 21, ""),
        (2.4, 7, "low medium"),
    ],
)
def test_the_disk_s_steps(free: float, gib: float, shed: str) -> None:
    assert " ".join(shed_at(None, free, gib)) == shed


def test_the_cause_is_the_one_that_holds_for_this_priority() -> None:
    causes = shed_at(76.0, 4.0, 1)
    assert causes == {
        Priority.LOW: Cause("redis_memory", 75.0, 76.0),
        Priority.MEDIUM: Cause("free_disk", 5.0, 4.0),
    }
    assert "4.0 % of the disk are free" in causes[Priority.MEDIUM].sentence


# --- the reading ---------------------------------------------------------------------------------


@pytest.fixture
def small_redis(empty_redis: redis.Redis) -> Iterator[redis.Redis]:
    """Nine tenths of its memory are used."""
    used = int(empty_redis.info("memory")["used_memory"])
    empty_redis.config_set("maxmemory", int(used / 0.9))
    yield empty_redis
    empty_redis.config_set("maxmemory", 0)


def test_redis_memory_is_read_from_it(post: Post, small_redis: redis.Redis) -> None:
    wait_until(lambda: post(EVENTS, {"priority": "low"}).status == 503, what="shedding")
    assert post(EVENTS, {"priority": "medium"}).status == 503
    assert pressure.watch.shed()[Priority.LOW].limit == "redis_memory"


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_it_is_read_once_a_second_and_never_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, going_on, readings = Clock(), threading.Event(), []

    def memory() -> float:
        readings.append(clock.now)
        going_on.wait(60)
        return 80.0

    monkeypatch.setattr(pressure, "time", clock)
    monkeypatch.setattr(pressure, "_memory_used", memory)
    watch = Watch()

    assert [watch.shed() for _ in range(100)] == [{}] * 100, "while the first reading is being taken"
    going_on.set()
    watch.settle()
    assert set(watch.shed()) == {Priority.LOW}
    assert len(readings) == 1
    clock.now += pressure.EVERY_SECONDS
    assert {len(watch.shed()) for _ in range(100)} == {1}
    watch.settle()
    assert len(readings) == 2


def test_an_old_reading_sheds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(pressure, "time", clock)
    monkeypatch.setattr(pressure, "_memory_used", lambda: 99.0)
    watch = Watch()
    watch.shed()
    watch.settle()
    assert len(watch.shed()) == 3

    clock.now += pressure.STALE_SECONDS

    assert watch.shed() == {}


def test_a_redis_that_is_away_sheds_nothing(settings: Any, tmp_path: Any) -> None:
    """Then the spool takes events, and only the disk counts."""
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    assert pressure._memory_used() is None
    settings.REDIS = False
    assert pressure._memory_used() is None
    assert set(shed_at(None, 4.0, 1)) == {Priority.LOW, Priority.MEDIUM}


def test_the_disk_of_the_home_is_read(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    settings.QUEUEADMIN_HOME = tmp_path
    percent, gib = pressure._disk_free()
    assert percent is not None
    assert 0 <= percent <= 100
    assert gib >= 0
    settings.QUEUEADMIN_HOME = tmp_path / "nowhere"
    assert pressure._disk_free() == (None, 0.0)
