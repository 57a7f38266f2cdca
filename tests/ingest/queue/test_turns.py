"""Jobs of one ordering key run one at a time, in their order, and hold up nobody else (D10).

How each way of leaving a place passes the turn on; that any sequence of them keeps the order is in test_invariants.
"""

import pytest

from ingest.queue import calls, keys
from ingest.queue.limits import Limit, set_limit
from ingest.queue.transitions import Claim, Failure, new_id
from tests.ingest.queue.conftest import Queue, make_job


def talk(queue: Queue, number: int = 3, key: str = "chat-7", **more: object) -> list[str]:
    return [queue.add(ordering_key=key, **more) for _ in range(number)]


def claimed(queue: Queue, *queues: str, **more: float) -> tuple[Claim | None, list[str]]:
    claim = queue.transitions.claim("w1", queues or ("high",), claim_id=new_id(), **({"lease": 30} | more))  # type: ignore[arg-type]
    return claim, [job.id for job in claim.jobs] if claim else []


def done(queue: Queue, claim: Claim | None) -> None:
    assert claim is not None
    assert queue.transitions.complete(claim.queue, claim.id, "w1", [job.id for job in claim.jobs]) == []


def test_one_at_a_time_in_order_beside_others(queue: Queue) -> None:
    chat, other, plain = talk(queue), talk(queue, 2, "chat-8"), queue.add()
    assert queue.waiting() == 6
    first, ids = claimed(queue)
    assert ids == [chat[0], other[0], plain]
    assert claimed(queue) == (None, [])
    assert [queue.places(job_id) for job_id in chat] == [["started"], ["queued"], ["queued"]]
    done(queue, first)
    second, ids = claimed(queue)
    assert ids == [chat[1], other[1]]
    done(queue, second)
    third, ids = claimed(queue)
    assert ids == [chat[2]]
    done(queue, third)
    leftovers = [name for name in queue.redis.scan_iter(f"{keys.PREFIX}:qa:*") if b"turn" in name or b"behind" in name]
    assert leftovers in ([], [f"{keys.TURNS}:number".encode()])
    assert not queue.redis.exists(keys.parked("high"))


def test_the_order_holds_across_queues(queue: Queue) -> None:
    first = queue.add(ordering_key="chat-7", queue="high")
    urgent = queue.add(ordering_key="chat-7", queue="critical")
    claim, ids = claimed(queue, "critical", "high")
    assert ids == [first]
    done(queue, claim)
    assert claimed(queue, "critical", "high")[1] == [urgent]


def test_jobs_of_one_call_keep_their_order(queue: Queue) -> None:
    jobs = [make_job(ordering_key="chat-7") for _ in range(5)]
    queue.transitions.enqueue(jobs)
    for job in jobs:
        claim, ids = claimed(queue)
        assert ids == [job.id]
        done(queue, claim)


def test_a_retry_holds_back_what_follows_and_a_dead_letter_does_not(queue: Queue) -> None:
    chat = talk(queue, 2, retry_delays=(60,))
    claim, _ = claimed(queue)
    assert claim is not None
    queue.transitions.fail("high", claim.id, "w1", [Failure(chat[0], "boom")])
    assert claimed(queue) == (None, [])
    queue.transitions.run_now("high", [chat[0]])
    claim, ids = claimed(queue)
    assert ids == [chat[0]]
    assert claim is not None
    queue.transitions.fail("high", claim.id, "w1", [Failure(chat[0], "boom")])
    assert queue.places(chat[0]) == ["failed"]
    assert claimed(queue)[1] == [chat[1]]
    # Requeued, it follows what is there now.
    assert queue.transitions.requeue("high", [chat[0]]) == [chat[0]]
    assert claimed(queue) == (None, [])
    assert queue.places(chat[0]) == ["queued"]


def test_a_promoted_retry_still_has_its_turn_and_a_delayed_one_takes_its_place_when_due(queue: Queue) -> None:
    delayed = queue.add(ordering_key="chat-7", delay=0.0001)
    chat = talk(queue, 2, retry_delays=(0.0001,))
    claim, ids = claimed(queue)
    assert ids == [chat[0]]
    assert claim is not None
    queue.transitions.fail("high", claim.id, "w1", [Failure(chat[0], "boom")])
    assert queue.transitions.promote("high") == 2
    order = []
    while claim := claimed(queue)[0]:
        order += [job.id for job in claim.jobs]
        done(queue, claim)
    assert order == [chat[0], chat[1], delayed]


@pytest.mark.parametrize("lease", [-1, 30])
def test_a_killed_worker_keeps_the_order(queue: Queue, lease: float) -> None:
    chat = talk(queue, 2)
    for _ in range(2):
        _, ids = claimed(queue, lease=-1)
        assert ids == [chat[0]]
        assert queue.transitions.recover("high").requeued == 1
    late, ids = claimed(queue, lease=lease)
    assert ids == [chat[0]]
    assert late is not None
    if lease < 0:
        assert queue.transitions.recover("high").dead == 1
    else:
        queue.transitions.release("high", late.id, ids)
        done(queue, claimed(queue)[0])
    assert claimed(queue)[1] == [chat[1]]


def test_a_late_worker_that_is_accepted_passes_the_turn_on(queue: Queue) -> None:
    chat = talk(queue, 2)
    late, _ = claimed(queue, lease=-1)
    queue.transitions.recover("high")
    done(queue, late)
    assert claimed(queue)[1] == [chat[1]]


@pytest.mark.parametrize("near", [0, 1000])
@pytest.mark.parametrize("what", ["cancel", "discard"])
def test_taking_the_first_one_away_gives_its_turn_to_the_next(
    queue: Queue, what: str, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "NEAR", near)
    chat = talk(queue, 4)
    take_away = getattr(queue.transitions, what)
    assert take_away("high", [chat[0], chat[2]]) == [chat[0], chat[2]]
    assert queue.waiting() == 2
    if what == "discard":
        assert queue.transitions.restore("high", [chat[0]]) == [chat[0]]
    else:
        (result,) = queue.transitions.enqueue([make_job(id=chat[0], ordering_key="chat-7")])
        assert result.accepted
    order = []
    while claim := claimed(queue)[0]:
        order += [job.id for job in claim.jobs]
        done(queue, claim)
    assert order == [chat[1], chat[3], chat[0]]


@pytest.mark.parametrize("first", [True, False])
def test_a_moved_job_keeps_its_place_in_the_order(queue: Queue, first: bool) -> None:
    chat = talk(queue)
    queue.transitions.move("high", [chat[0] if first else chat[1]], to="critical")
    assert (queue.waiting("critical"), queue.waiting("high")) == (1, 2)
    order = []
    while claim := claimed(queue, "critical", "high")[0]:
        order += [job.id for job in claim.jobs]
        done(queue, claim)
    assert order == chat


def test_an_emptied_queue_holds_nobody_back(queue: Queue) -> None:
    urgent = queue.add(ordering_key="chat-7", queue="critical")
    talk(queue, 3)
    talk(queue, 3, "chat-8")
    seconds, _ = queue.redis.time()
    moved = 0
    while (step := queue.transitions.empty("high", before=seconds + 60, most=2)).more:
        moved += step.moved
    assert moved + step.moved == 6
    assert queue.waiting() == 0
    assert claimed(queue, "critical", "high")[1] == [urgent]
    assert queue.redis.hkeys(keys.TURNS) == [b"chat-7"]


def test_a_pause_and_a_rate_limit_keep_the_order(queue: Queue) -> None:
    set_limit(queue.redis, Limit("source", "prometheus", 1, 60))
    chat = talk(queue)
    queue.transitions.pause("high")
    assert claimed(queue) == (None, [])
    queue.transitions.resume("high")
    for job_id in chat:
        claim, ids = claimed(queue)
        assert ids == [job_id]
        done(queue, claim)
        assert claimed(queue) == (None, [])
        queue.redis.delete(f"{keys.PREFIX}:qa:used:source:prometheus")


def test_what_a_stock_client_ends_keeps_the_turn_until_maintenance_sees_it(queue: Queue) -> None:
    deleted, ended, behind, last = talk(queue, 4)
    queue.redis.delete(keys.job(deleted))
    assert queue.transitions.end_turns(["chat-7", "unknown"]) == 1
    assert queue.transitions.end_turns(["chat-7"]) == 0
    # A stock worker pops it, runs it and deletes it; another one was deleted while it waited.
    queue.redis.lrem(keys.queue("high"), 1, ended)
    queue.redis.delete(keys.job(ended), keys.job(behind))
    assert queue.transitions.end_turns(["chat-7"]) == 1
    assert claimed(queue)[1] == [last]
    assert queue.waiting() == 0


def test_what_waits_for_its_turn_is_not_taken_for_lost(queue: Queue) -> None:
    chat = talk(queue, 2)
    assert queue.transitions.heal("high", chat) == []
    queue.redis.lrem(keys.queue("high"), 1, chat[0])
    assert queue.transitions.heal("high", chat) == [chat[0]]
    assert claimed(queue)[1] == [chat[0]]
