"""One look at a policy asks for so many in each round, and lets nothing go that must stay (issue 8 part 7)."""

import pytest

from queueadmin.console.policies import due
from tests.console.policies.conftest import Shelf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many each question to Redis was about: two, and four in a round."""
    counted: list[int] = []
    standing = due.standing

    def counting(client: object, places: list[due.Entry]) -> list[due.Entry]:
        counted.append(len(places))
        return standing(client, places)

    monkeypatch.setattr(due, "standing", counting)
    monkeypatch.setattr(due, "_PAGE", 2)
    monkeypatch.setattr(due, "ASKED", 4)
    return counted


def test_a_count_is_asked_for_over_several_rounds(shelf: Shelf, asked: list[int]) -> None:
    """It asked for each that stays, however many, in the same step."""
    ids = shelf.fail(*range(12, 1, -1))
    shelf.keep(count=9)
    rounds = []
    shelf.seconds += 600
    while shelf.dead() == set(ids):
        asked.clear()
        shelf.policies.step()
        rounds.append(sum(asked))
    assert rounds == [4, 4, 4]
    assert shelf.dead() == set(ids[2:])
    shelf.policies.step()
    asked.clear()
    shelf.policies.step()  # the look is over, the next one is in ten minutes
    assert not asked


def test_for_what_left_meanwhile_as_many_more_stay(shelf: Shelf) -> None:
    ids = shelf.fail(*range(12, 1, -1))
    shelf.keep(count=9)
    shelf.step()
    shelf.jobs.transitions.requeue("high", ids[-2:])  # of those that were counted already
    for _ in range(5):
        shelf.policies.step()
    assert shelf.dead() == set(ids[:-2])


def test_nothing_more_goes_when_others_leave_after_the_count(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "MOST", 2)
    monkeypatch.setattr(due, "ASKED", 6)
    ids = shelf.fail(*range(12, 1, -1))
    shelf.keep(count=4)
    shelf.step()
    assert shelf.dead() == set(ids[2:])
    shelf.jobs.transitions.discard("high", ids[-3:], by="ada")
    shelf.policies.step()
    assert shelf.dead() == set(ids[2:-3])
    shelf.policies.step()
    shelf.indexer.step()
    shelf._count()
    shelf.step()  # counts again
    shelf.policies.step()
    assert shelf.dead() == set(ids[4:-3])


def test_what_somebody_moved_lately_is_passed_over_a_little_at_a_time(shelf: Shelf, asked: list[int]) -> None:
    """Undo of a hundred thousand had each look ask for all of them."""
    ids = shelf.fail(40, 39, 38, 37, 36, 35)
    shelf.jobs.transitions.discard("high", ids[:5], by="ada", operation="o")
    shelf.jobs.transitions.restore("high", ids[:5], by="ada")
    shelf.age(ids, 40, 39, 38, 37, 36, 35)
    shelf.keep(30)
    shelf.step()
    assert (sum(asked), shelf.dead()) == (4, set(ids))
    shelf.policies.step()
    assert shelf.dead() == set(ids[:5])
