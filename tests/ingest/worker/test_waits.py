"""Waits double up to a limit, begin anew when it works again, and a signal ends them."""

import time

import pytest

from ingest.worker.waits import LONGEST, SHORTEST, Waits


def test_each_is_twice_the_one_before_until_it_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Waits, "pause", lambda self, seconds: waited.append(seconds))
    waits = Waits(lambda: False)
    for _ in range(7):
        waits.back_off()
    assert waited == [0.5, 1, 2, 4, 8, LONGEST, LONGEST]
    waits.over()
    assert waits.next == SHORTEST


def test_a_signal_ends_one() -> None:
    stops = iter([False, False, True])
    began = time.monotonic()
    Waits(lambda: next(stops)).pause(600)
    assert time.monotonic() - began < 60
