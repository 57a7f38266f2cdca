"""Turns that stock workers and clients ended without a word are passed on (D10)."""

import pytest

from ingest.maintenance import Maintenance, turns
from ingest.queue import keys
from tests.ingest.worker.conftest import Work


def test_a_round_passes_on_the_turn_of_a_job_that_a_stock_client_deleted(work: Work) -> None:
    first, second = work.put({"title": "x"}, {"title": "y"}, ordering_key="chat")
    Maintenance(work.redis).round()
    assert work.waiting() == [first]
    work.redis.delete(keys.job(first))
    Maintenance(work.redis).round()
    assert work.redis.hget(keys.TURNS, "chat") == second.encode()
    assert work.waiting() == [first, second], "the dead entry is dropped by the next claim"


def test_every_turn_is_looked_at_within_some_rounds(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LOOK", 10)
    for number in range(1500):
        work.put({"title": "x"}, ordering_key=f"chat {number}")
    work.redis.delete(*work.redis.scan_iter(keys.job("*"), count=1000))
    leader = Maintenance(work.redis)
    for _ in range(400):
        leader.round()
        if not work.redis.exists(keys.TURNS):
            return
    pytest.fail(f"{work.redis.hlen(keys.TURNS)} turns are left")
