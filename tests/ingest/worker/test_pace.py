"""A batch is about a second of work by what each kind was measured to take, so that low never holds critical up."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from ingest.kinds import KINDS, Kind
from ingest.queue.payload import Payload
from ingest.worker.pace import Pace
from tests.conftest import wait_until
from tests.ingest.worker.conftest import Work


def test_a_batch_is_about_a_second_of_work() -> None:
    pace = Pace(200)
    assert pace.limit == 200
    for _ in range(20):
        pace.ran("alert", 10, 1.0)
    assert pace.limit == 10
    for _ in range(20):
        pace.ran("alert", 1, 5.0)
    assert pace.limit == 1
    for _ in range(40):
        pace.ran("alert", 100, 0.01)
    assert pace.limit == 200


def test_a_kind_has_its_own_pace_and_begins_with_one() -> None:
    pace = Pace(200)
    assert pace.slice("alert", 1.0) == pace.slice("slow", 1.0) == 1
    pace.ran("alert", 100, 0.01)
    pace.ran("slow", 1, 0.3)
    assert (pace.slice("alert", 1.0), pace.slice("slow", 1.0), pace.slice("slow", 0.2)) == (200, 3, 0)
    assert pace.slice("alert", 0.0) == 0


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Sequence[Payload]], None]], None]:
    def register(handler: Callable[[Sequence[Payload]], None]) -> None:
        monkeypatch.setitem(KINDS, "slow", Kind(name="slow", validate=lambda event: None, handler=handler))

    return register


def new_worker_off(work: Work) -> None:
    """One that has measured nothing yet."""
    worker = work.worker()
    worker._pace = Pace(200)
    worker.work(burst=True)


def test_a_slow_low_batch_does_not_hold_critical_up(work: Work, slow: Callable[..., None]) -> None:
    """200 jobs of low would take a minute; a critical one that comes meanwhile waits for a second of them or so."""
    done_before: list[int] = []

    def handler(events: Sequence[Payload]) -> None:
        for event in events:
            time.sleep(0.3)
            if event.priority == "critical":
                done_before.append(work.count("completed", "low"))
                work.transitions.discard("low", work.waiting("low"))  # enough was seen

    slow(handler)
    work.put(*[{"n": number} for number in range(200)], kind="slow", queue="low")

    def later() -> None:
        wait_until(lambda: work.started("low"))
        work.put({"n": "critical"}, kind="slow", queue="critical")

    thread = threading.Thread(target=later)
    thread.start()
    new_worker_off(work)
    thread.join()
    assert 1 <= done_before[0] <= 20
    assert work.count("completed", "critical") == 1
    assert (work.started("low"), work.count("dead", "low"), work.count("retried", "low")) == (0, 0, 0)


def test_a_fast_kind_beside_a_slow_one_is_not_slowed_down(work: Work, slow: Callable[..., None]) -> None:
    sizes: list[int] = []

    def handler(events: Sequence[Payload]) -> None:
        sizes.append(len(events))
        time.sleep(0.4 * len(events))

    slow(handler)
    for _ in range(4):
        work.put(*[{"title": "x"}] * 50)
        work.put({}, kind="slow")
    work.off()
    assert work.count("completed") == 204
    assert max(sizes) <= 3


def test_halving_ends_with_the_batchs_time_and_still_brings_the_queue_forward(
    work: Work, slow: Callable[..., None]
) -> None:
    """Every event is bad and slow to say so: halved to the end, one batch would take as long as all together."""
    runs: list[int] = []

    def handler(events: Sequence[Payload]) -> None:
        runs.append(len(events))
        time.sleep(0.25)
        raise ValueError("bad")

    slow(handler)
    ids = work.put(*[{"n": number} for number in range(8)], kind="slow", retry_delays=())
    worker = work.worker()
    worker._pace.ran("slow", 100, 1.0)  # as if it had been quick until now
    worker.work(burst=True)
    assert runs[:4] == [8, 4, 2, 1], "down to the first bad one"
    assert sorted(work.dead()) == sorted(ids)
    assert work.count("released") >= 6
