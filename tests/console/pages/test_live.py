"""What pages ask for that get no socket."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from django.test import Client

from ingest.queue import keys
from queueadmin.console.figures import history, metrics
from queueadmin.console.figures.snapshot import Snapshot

pytestmark = pytest.mark.django_db

SAMPLE = Snapshot.from_json((Path(__file__).parents[1] / "samples" / "snapshot.json").read_bytes())


def test_the_rows_and_the_snapshot_that_was_published(operator: Client, empty_redis: redis.Redis) -> None:
    now = round(time.time())
    writer = history.Writer(empty_redis)
    for number in range(3):
        writer.write(replace(SAMPLE, seq=number, at=now + number))
    empty_redis.set(keys.PUBLISHER, "somebody")
    rows, snapshot = operator.get("/live/").json()
    assert ([row[0] for row in rows["rows"]], rows["type"]) == ([now, now + 1, now + 2], "history")
    assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 2)
    later, _ = operator.get(f"/live/?after={now + 1}").json()
    assert [row[0] for row in later["rows"]] == [now + 2]


@pytest.mark.parametrize("after", ["", "x", "nan", "inf", "-1", "1e400"])
def test_a_time_that_is_none_means_all(operator: Client, empty_redis: redis.Redis, after: str) -> None:
    history.Writer(empty_redis).write(replace(SAMPLE, at=time.time()))
    assert len(operator.get(f"/live/?after={after}").json()[0]["rows"]) == 1


def test_with_no_publisher_the_process_reads_for_itself(operator: Client, empty_redis: redis.Redis) -> None:
    history.Writer(empty_redis).write(replace(SAMPLE, workers=replace(SAMPLE.workers, total=77)))
    _, snapshot = operator.get("/live/").json()
    assert (snapshot["redis"]["status"], snapshot["workers"]["total"]) == ("connected", 0)


@pytest.mark.usefixtures("no_redis")
def test_while_redis_is_away_the_last_known_numbers_come(operator: Client) -> None:
    metrics.remember(SAMPLE)
    rows, snapshot = operator.get("/live/").json()
    assert (rows["rows"], snapshot["redis"]["status"]) == ([], "disconnected")


def test_whoever_is_signed_out_is_led_to_the_sign_in_as_the_script_expects(client: Client) -> None:
    assert client.get("/live/").headers["Location"].startswith("/login/")
