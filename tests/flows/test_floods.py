"""A flood by one sender is that sender's trouble alone: of what is over its rate, and of keys that are wrong."""

import statistics
import time
from collections.abc import Iterator

import pytest
import requests

from tests.conftest import wait_until
from tests.flows.flood import Flood
from tests.instance import Instance

#: Interleaved, so that what else this machine does falls on both.
ROUNDS = 6
POSTS = 40
#: Of the flooder, a second. With 50 a slow machine refused 81 of a flood, since it took no more than that in.
RATE = 1


class Keys:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._names: list[str] = []

    def make(self, name: str, *options: str) -> str:
        self._names.append(name)
        return self._instance.manage("api_key", "create", name, *options).splitlines()[-1]

    def revoke(self, name: str) -> None:
        self._names.remove(name)
        self._instance.manage("api_key", "revoke", name)

    def revoke_all(self) -> None:
        for name in list(self._names):
            self.revoke(name)


@pytest.fixture
def keys(instance: Instance) -> Iterator[Keys]:
    made = Keys(instance)
    yield made
    made.revoke_all()


def seconds_of(session: requests.Session, url: str, key: str) -> list[float]:
    """How long each of some posts took; all are accepted."""
    taken = []
    for _ in range(POSTS):
        began = time.perf_counter()
        answer = session.post(f"{url}/api/v1/events", json={"title": "quiet"}, headers={"X-API-KEY": key}, timeout=60)
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 202
    return taken


@pytest.mark.parametrize("flood_of", ["over its rate", "wrong keys"])
def test_a_flood_leaves_another_s_latency_alone(instance: Instance, keys: Keys, flood_of: str) -> None:
    """S15, S16: beside four connections that send as fast as they are refused, as a ratio of medians."""
    flooding = keys.make(f"flooder {flood_of}", f"--rate={RATE}") if flood_of == "over its rate" else None
    other = keys.make(f"other {flood_of}")
    quiet: list[float] = []
    flooded: list[float] = []
    with Flood(instance.url, flooding) as flood, requests.Session() as session:
        began = time.monotonic()
        wait_until(lambda: flood.refused.value > 0, what="the flood")
        for _ in range(ROUNDS):
            flood.pause()
            quiet += seconds_of(session, instance.url, other)
            flood.go()
            before = flood.answered
            wait_until(lambda before=before: flood.answered > before + 20, what="the flood")  # type: ignore[misc]
            flooded += seconds_of(session, instance.url, other)
        lasted = time.monotonic() - began
        admitted, refused, strange = flood.accepted.value, flood.refused.value, flood.strange.value

    ratio = statistics.median(flooded) / statistics.median(quiet)
    assert strange == 0
    assert refused > 2 * len(flooded), "a flood"
    assert admitted <= (RATE + RATE * lasted if flooding else 0)
    assert ratio < 5


def test_a_revoked_key_stops_within_five_seconds_under_load(instance: Instance, keys: Keys) -> None:
    """S3: also while wrong keys flood what looks keys up."""
    key = keys.make("to be revoked")
    with Flood(instance.url, key) as load, Flood(instance.url, None) as wrong:
        wait_until(lambda: load.accepted.value > 200 and wrong.refused.value > 200, what="load")
        keys.revoke("to be revoked")
        revoked_at = time.monotonic()
        wait_until(lambda: load.refused.value > 0, what="the refusal")
        accepted = load.accepted.value
        before = load.refused.value
        wait_until(lambda: load.refused.value > before + 200, what="refusals")
        assert load.last_accepted.value - revoked_at <= 5
        assert load.accepted.value - accepted <= 4, "what was under way on its four connections"
        assert load.strange.value == wrong.strange.value == 0
