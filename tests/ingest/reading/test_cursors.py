"""Where a page goes on in a sorted set, whatever became of the entry that the page before ended with."""

import random
from collections.abc import Callable

import pytest
import redis

from ingest.reading.cursors import BadCursor, as_cursor, newest, oldest, read_cursor

KEY = "set"
Next = Callable[..., list[tuple[str, float]]]


def fill(client: redis.Redis, scores: dict[str, float]) -> None:
    client.zadd(KEY, scores)


@pytest.mark.parametrize(("following", "sign"), [(oldest, 1), (newest, -1)])
@pytest.mark.parametrize("moved", ["nobody", "the last one shown", "all shown", "some of all"])
def test_every_entry_that_stays_is_shown_once(empty_redis: redis.Redis, following: Next, sign: int, moved: str) -> None:
    """With ties: many share a score, and the order among those is Redis' own."""
    chance = random.Random(7)
    scores = {
        f"{chance.randrange(10**9):x}é{n}": float(chance.choice([-1, -1, -1, 2.5, 10**10 + 0.123456]))
        for n in range(300)
    }
    fill(empty_redis, scores)
    expected = [member for member, _ in following(empty_redis, KEY, None, 1000)]
    assert len(expected) == 300
    assert [scores[member] for member in expected] == sorted(scores.values(), key=lambda score: sign * score)

    shown: list[str] = []
    gone: set[str] = set()
    place = None
    while page := following(empty_redis, KEY, place, 7):
        shown += [member for member, _ in page]
        place = (page[-1][1], page[-1][0])
        leaving = {
            "nobody": [],
            "the last one shown": [page[-1][0]],
            "all shown": [member for member, _ in page],
            "some of all": chance.sample(expected, 2),
        }[moved]
        gone.update(leaving)
        if leaving:
            empty_redis.zrem(KEY, *leaving)
    assert len(shown) == len(set(shown))
    assert [member for member in expected if member in set(shown)] == shown
    assert set(expected) - gone <= set(shown)


def test_a_cursor_comes_back_as_it_was() -> None:
    stood = {"high": (10_000_000_000.123456, "é"), "low": (-1.0, "x")}
    assert read_cursor(as_cursor(stood)) == stood
    assert read_cursor(None) == read_cursor("") == {}


@pytest.mark.parametrize("given", ["x", "é", "W10", "bm90IGpzb24"])
def test_a_cursor_of_others_is_refused(given: str) -> None:
    with pytest.raises(BadCursor):
        read_cursor(given)
