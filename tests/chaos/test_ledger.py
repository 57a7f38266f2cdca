"""The ledger finds what is lost, doubled, or dead without a reason."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import redis

from ingest.queue.transitions import Failure
from tests.chaos.databases import Sqlite
from tests.chaos.jobs import InRedis
from tests.chaos.ledger import Account, Ledger
from tests.ingest.queue.conftest import Queue, make_job

TABLES = """
    CREATE TABLE ingest_event (event_id TEXT, source TEXT, processed_at TEXT, body TEXT);
    CREATE TABLE ingest_alert (title TEXT, source TEXT, occurrences INTEGER);
    CREATE TABLE ingest_redisloss (kind TEXT, waiting INTEGER, missing INTEGER);
"""


class Books:
    """A ledger of some accepted events, and a database to put what became of them in."""

    def __init__(self, folder: Path, client: redis.Redis) -> None:
        self.queue = Queue(client)
        self.ledger = Ledger("here")
        self.file = folder / "books.sqlite3"
        self.write(TABLES)

    def write(self, script: str) -> None:
        connection = sqlite3.connect(self.file)
        connection.executescript(script)
        connection.close()

    def accept(self, event_id: str, **fields: Any) -> None:
        self.ledger.send([{"id": event_id, "title": "p", **fields}])
        self.ledger.accept(event_id, f"job-{event_id}")

    def process(self, event_id: str, times: int = 1) -> None:
        self.write(f"INSERT INTO ingest_event VALUES ('{event_id}', 'here', 'now', '');")  # noqa: S608 - of this test
        self.write(f"INSERT INTO ingest_alert VALUES ('p', 'here', {times});")  # noqa: S608 - of this test

    def bury(self, event_id: str) -> None:
        job = make_job(source="here", event_id=event_id)
        self.queue.transitions.enqueue([job])
        claim = self.queue.claim()
        self.queue.transitions.fail("high", claim.id, "w1", [Failure(job.id, error="an error", retry=False)])

    def account(self, *carried_out: str) -> Account:
        return self.ledger.account(InRedis(self.queue.redis), Sqlite(self.file), carried_out)


@pytest.fixture
def books(tmp_path: Path, empty_redis: redis.Redis) -> Books:
    return Books(tmp_path, empty_redis)


def test_all_is_well_when_each_event_is_a_row_or_the_dead_letter_that_it_asked_to_be(books: Books) -> None:
    books.accept("a")
    books.process("a")
    books.accept("b", fault="permanent")
    books.bury("b")
    assert books.account() == Account(processed=1, dead_letters=1, lost=0, doubled=0, wrong=[])


def test_an_event_without_an_id_is_known_by_its_n(books: Books) -> None:
    """Sent under an Idempotency-Key: nothing but its body tells it from another one."""
    books.ledger.send([{"n": "a", "title": "p"}, {"n": "b", "title": "p"}])
    books.ledger.accept("a", "job-a")
    books.ledger.accept("b", "job-b")
    books.write("""INSERT INTO ingest_event VALUES (NULL, 'here', 'now', '{"n":"a"}');""")
    books.write("""INSERT INTO ingest_event VALUES (NULL, 'here', 'now', '{"n":"a"}');""")
    found = books.account()
    assert (found.lost, found.doubled, found.processed) == (3, 1, 1), "b, and the effects that none of the rows had"


def test_an_accepted_event_that_is_nowhere_is_lost(books: Books) -> None:
    books.accept("a")
    found = books.account()
    assert (found.lost, found.doubled) == (1, 0)
    assert "a (job job-a) was accepted and is nowhere" in found.wrong[0]


def test_an_event_that_was_not_accepted_may_be_there_or_not_but_not_twice(books: Books) -> None:
    books.ledger.send([{"id": "a", "title": "p"}, {"id": "b", "title": "p"}])
    books.process("a")
    assert books.account().wrong == []
    books.process("a")
    found = books.account()
    assert (found.lost, found.doubled) == (0, 1)


def test_an_effect_that_happened_twice_is_doubled(books: Books) -> None:
    books.accept("a")
    books.process("a", times=2)
    found = books.account()
    assert (found.lost, found.doubled) == (0, 1)
    assert found.wrong == ["the problem 'p' counts 2 occurrences of 1 events"]


def test_an_effect_outside_the_database_must_have_happened(books: Books) -> None:
    books.accept("a", kind="chat")
    books.write("INSERT INTO ingest_event VALUES ('a', 'here', 'now', '');")
    assert books.account("a").wrong == []
    found = books.account()
    assert (found.lost, found.wrong) == (1, ["a is done and its effect never happened"])


def test_a_good_event_among_the_dead_letters_is_lost(books: Books) -> None:
    books.accept("a")
    books.bury("a")
    assert books.account().lost == 1


def test_an_alarm_of_lost_data_without_a_loss_is_wrong(books: Books) -> None:
    books.write("INSERT INTO ingest_redisloss VALUES ('older', 3, 1);")
    assert books.account().wrong == ["a loss of Redis was found that was none: older, 3 waited, 1 missing"]


def test_a_second_id_for_the_same_event_is_wrong(books: Books) -> None:
    books.accept("a")
    books.ledger.accept("a", "another")
    books.process("a")
    assert books.account().wrong == ["a was given two ids: job-a and another"]
