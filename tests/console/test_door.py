"""What is said of the door, and the frame that its page lives by."""

import json
from collections.abc import Iterator

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.api import keyring
from ingest.api.tally import Tally
from queueadmin.console import door
from queueadmin.console.figures import metrics
from queueadmin.console.figures.snapshot import Spool
from queueadmin.console.sources import Reader, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def tally(empty_redis: redis.Redis) -> Iterator[Tally]:
    made = Tally()
    yield made
    made.forget()


def said(spool: Spool | None = None) -> tuple[str, str]:
    found = door.verdict(read(), spool or Spool())
    return found.status, found.reason


def test_an_open_door(tally: Tally) -> None:
    assert said() == ("healthy", "The door is open.")
    tally.add("7", {("edge", "accepted"): 100, ("edge", "rejected:wrong_type"): 1})
    tally.settle()
    assert said() == ("healthy", "The door is open.")
    assert [check.text for check in door.verdict(read(), Spool()).checks] == ["spool empty", "nothing shed"]


def test_a_source_that_is_much_refused_is_named_with_the_reason(tally: Tally) -> None:
    tally.add("7", {("edge", "accepted"): 4, ("edge", "rejected:wrong_type"): 1, ("db", "accepted"): 9})
    tally.settle()
    found = door.verdict(read(), Spool())
    assert (found.status, found.reason) == ("degraded", "edge is refused 20.0 % of the time.")
    assert found.next == "Most common reason: wrong type. Other events of the same request are accepted."


def test_what_the_spool_holds_and_what_was_shed(tally: Tally, settings: Settings) -> None:
    tally.add("7", {("edge", "accepted"): 1000, ("edge", "shed:redis_memory"): 7, ("edge", "limited:key_rate"): 1})
    tally.settle()
    spool = Spool(count=12, more=True, oldest=90)
    assert said(spool) == ("degraded", "The spool holds events.")
    checks = door.verdict(read(), spool).checks
    assert [(check.ok, check.text) for check in checks] == [
        (False, "over 12 in the spool, the oldest for 2 min"),
        (False, "8 shed or over a rate so far"),
    ]
    settings.REDIS = False  # there it is where everything waits
    assert door.verdict(read(), spool).status == "healthy"


def test_reasons_name_those_that_had_most_of_them(tally: Tally) -> None:
    for number in range(5):
        tally.add("7", {(f"s{number}", "rejected:wrong_type"): number + 1, ("", "shed:redis_memory"): 1})
    tally.settle()
    shed, wrong = door.reasons(read())
    assert (shed.name, shed.count, door.from_words(shed)) == ("shed:redis_memory", 5, "no source 5")
    assert (wrong.name, wrong.count) == ("rejected:wrong_type", 15)
    assert door.from_words(wrong) == "s4 5, s3 4, s2 3 and 2 more"


def test_a_frame_has_all_that_the_page_shows(tally: Tally) -> None:
    key = keyring.create("edge").key
    tally.add(str(key.id), {("edge", "accepted"): 30}, tenants=[("edge", "acme")], seconds=0.004)
    tally.add(str(key.id), {("edge", "rejected:wrong_type"): 10, ("edge", "shed:queue_full"): 2})
    tally.settle()
    frame = json.loads(door.frame(Reader()))
    assert frame["type"] == "door"
    (edge,) = frame["sources"]
    assert (edge["name"], edge["tenants"], edge["accepted"], edge["rejected"], edge["held_back"]) == (
        "edge",
        "acme",
        30,
        10,
        2,
    )
    assert (edge["reason"], edge["is_bad"], len(edge["rates"])) == ("wrong type", True, 60)
    assert edge["p99"] == pytest.approx(0.004, rel=0.05)
    assert frame["keys"][str(key.id)][:2] == [30, 12]
    assert frame["total"]["refusals"] == 12
    assert [reason[:2] for reason in frame["reasons"]] == [["shed:queue_full", 2], ["rejected:wrong_type", 10]]


def test_a_frame_changes_nothing(tally: Tally, empty_redis: redis.Redis) -> None:
    tally.add("7", {("edge", "accepted"): 30}, tenants=[("edge", "acme")], seconds=0.004)
    tally.settle()
    before = {key: empty_redis.dump(key) for key in empty_redis.keys("*")}
    door.frame(Reader())
    assert {key: empty_redis.dump(key) for key in empty_redis.keys("*")} == before


@pytest.mark.usefixtures("no_redis")
def test_while_redis_is_away_the_frame_says_so() -> None:
    metrics.snapshot()
    frame = json.loads(door.frame(Reader()))
    assert (frame["total"], frame["sources"], frame["keys"]) == (None, [], {})
    assert frame["verdict"]["reason"] == "Redis does not answer."
