"""Rate limits: at most so many claims in a window, by kind, source or tenant (B4)."""

import pytest

from ingest.queue import calls, keys
from ingest.queue.limits import Limit, limits, remove_limit, set_limit
from ingest.queue.transitions import new_id
from tests.ingest.queue.conftest import Queue


def claimed(queue: Queue, *queues: str) -> list[str]:
    claim = queue.transitions.claim("w1", queues or ("high",), claim_id=new_id(), lease=30)
    return [job.id for job in claim.jobs] if claim else []


def end_windows(queue: Queue) -> None:
    for key in queue.redis.scan_iter(f"{keys.PREFIX}:qa:used:*"):
        assert queue.redis.pttl(key) > 0, "a window that never ends would hold jobs for ever"
        queue.redis.delete(key)


def test_the_surplus_waits_for_the_next_window_in_its_order(queue: Queue) -> None:
    set_limit(queue.redis, Limit("source", "prometheus", 2, 60))
    ids = [queue.add() for _ in range(5)]
    assert claimed(queue) == ids[:2]
    assert claimed(queue) == []
    assert queue.waiting() == 3
    assert [queue.places(job_id) for job_id in ids[2:]] == [["queued"]] * 3
    later = queue.add()
    end_windows(queue)
    assert claimed(queue) == ids[2:4]
    end_windows(queue)
    assert claimed(queue) == [ids[4], later]
    assert not queue.redis.exists(keys.parked("high"))


def test_others_pass_those_that_are_held_back(queue: Queue) -> None:
    set_limit(queue.redis, Limit("source", "noisy", 1, 60))
    noisy = [queue.add(source="noisy") for _ in range(10)]
    calm = queue.add(source="calm")
    assert claimed(queue) == [noisy[0], calm]


def test_each_tenant_has_a_window_of_its_own(queue: Queue) -> None:
    set_limit(queue.redis, Limit("tenant", "*", 1, 60))
    ids = {tenant: [queue.add(tenant=tenant) for _ in range(2)] for tenant in ("acme", "umbrella")}
    assert claimed(queue) == [ids["acme"][0], ids["umbrella"][0]]


def test_every_limit_that_applies_is_kept(queue: Queue) -> None:
    set_limit(queue.redis, Limit("kind", "alert", 3, 60))
    set_limit(queue.redis, Limit("tenant", "acme", 1, 60))
    acme = [queue.add(tenant="acme") for _ in range(2)]
    other = [queue.add(tenant="other") for _ in range(3)]
    assert claimed(queue) == [acme[0], other[0], other[1]]
    queue.redis.delete(f"{keys.PREFIX}:qa:used:tenant:acme")
    assert claimed(queue) == [], "the kind's window is used up as well"
    end_windows(queue)
    assert set(claimed(queue)) == {acme[1], other[2]}


def test_the_window_is_shared_by_the_queues(queue: Queue) -> None:
    set_limit(queue.redis, Limit("kind", "alert", 1, 60))
    first = queue.add(queue="critical")
    queue.add(queue="high")
    assert claimed(queue, "critical", "high") == [first]
    assert claimed(queue, "critical", "high") == []


def test_a_removed_limit_holds_nothing_back(queue: Queue) -> None:
    set_limit(queue.redis, Limit("kind", "alert", 1, 60))
    ids = [queue.add() for _ in range(3)]
    claimed(queue)
    assert claimed(queue) == []
    assert remove_limit(queue.redis, "kind", "alert")
    assert not remove_limit(queue.redis, "kind", "alert")
    assert claimed(queue) == ids[1:]


@pytest.mark.parametrize("near", [0, 1000])
def test_what_is_held_back_can_be_canceled_discarded_restored_and_moved(
    queue: Queue, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "NEAR", near)
    set_limit(queue.redis, Limit("kind", "alert", 1, 60))
    taken, canceled, discarded, moved, stays = (queue.add() for _ in range(5))
    assert claimed(queue) == [taken]
    assert claimed(queue) == []
    transitions = queue.transitions
    assert transitions.cancel("high", [canceled]) == [canceled]
    assert transitions.discard("high", [discarded]) == [discarded]
    assert transitions.move("high", [moved], to="critical") == [moved]
    assert [queue.places(job_id) for job_id in (canceled, discarded, moved, stays)] == [
        ["canceled"],
        ["trash"],
        ["queued"],
        ["queued"],
    ]
    assert (queue.waiting("high"), queue.waiting("critical")) == (1, 1)
    assert transitions.restore("high", [discarded]) == [discarded]
    assert queue.places(discarded) == ["queued"]
    remove_limit(queue.redis, "kind", "alert")
    assert set(claimed(queue)) == {discarded, stays}


def test_empty_takes_what_is_held_back_too(queue: Queue) -> None:
    set_limit(queue.redis, Limit("kind", "alert", 1, 60))
    queue.add()
    held = queue.add()
    claimed(queue)
    claimed(queue)
    seconds, _ = queue.redis.time()
    assert queue.transitions.empty("high", before=seconds + 60).moved == 1
    assert queue.places(held) == ["trash"]
    assert queue.waiting() == 0


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        (Limit("colour", "red", 1, 1), "dimension"),  # type: ignore[arg-type]
        (Limit("kind", "", 1, 1), "value"),
        (Limit("kind", "alert", 0, 1), "most"),
        (Limit("kind", "alert", 1, 0), "seconds"),
        (Limit("kind", "alert", 1, 100_000), "seconds"),
    ],
)
def test_a_wrong_limit_is_named(queue: Queue, limit: Limit, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        set_limit(queue.redis, limit)


def test_limits_are_listed(queue: Queue) -> None:
    wanted = [Limit("kind", "alert", 5, 1.5), Limit("source", "a:b", 1, 60)]
    for limit in wanted:
        set_limit(queue.redis, limit)
    assert limits(queue.redis) == wanted
