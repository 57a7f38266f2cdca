"""What the counts were, and marks on the charts (issue 7.1)."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from django.test import Client

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.figures import history
from queueadmin.console.figures.snapshot import Snapshot
from queueadmin.console.models import AuditEntry
from tests.console.api.conftest import problem_of

pytestmark = pytest.mark.django_db

SAMPLE = Snapshot.from_json((Path(__file__).parents[1] / "samples" / "snapshot.json").read_bytes())


def test_a_window_has_its_rows_and_marks(admin: Client, empty_redis: redis.Redis) -> None:
    now = time.time()
    writer = history.Writer(empty_redis)
    for at in (now - 120, now - 30, now - 1):
        writer.write(replace(SAMPLE, at=at))
    operations.pause("low", actor="ada", reason="")
    assert admin.post("/api/v1/marks", {"text": " deploy 4f2c91e "}, content_type="application/json").status_code == 200
    answer = admin.get("/api/v1/history?window=1m").json()
    assert (answer["window"], answer["step"], len(answer["rows"])) == (60, 1, 2)
    assert answer["columns"] == history.columns()
    assert [(mark["text"], mark["what"]) for mark in answer["marks"]] == [
        ("ada paused low", "operator"),
        ("deploy 4f2c91e", "deploy"),
    ]
    assert admin.get("/api/v1/history?window=1m&rows=0").json() == answer | {"rows": []}
    assert AuditEntry.objects.latest("id").outcome == "Marked “deploy 4f2c91e”."


def test_latencies_are_told_in_seconds(admin: Client, empty_redis: redis.Redis) -> None:
    now = time.time()
    empty_redis.rpush(keys.latencies(10), json.dumps([now - 5, {"high": [[], [5, 4]]}]))
    answer = admin.get("/api/v1/latencies?window=1m").json()
    assert (answer["window"], answer["step"], answer["queue"]) == (60, 10, None)
    (row,) = answer["rows"]
    told = dict(zip(answer["columns"], row, strict=True))
    assert (told["jobs"], told["wait_p95"], told["run_p50"]) == (4, None, 0.0375)
    assert admin.get("/api/v1/latencies?queue=low").json()["rows"] == []
    assert problem_of(admin.get("/api/v1/latencies?queue=lowest"), 422, "invalid_field")["field"] == "queue"
    assert problem_of(admin.get("/api/v1/latencies?window=1s"), 422, "invalid_field")["field"] == "window"


@pytest.mark.parametrize("window", ["", "5s", "31d", "1y", "m", "-5m", "٣m", "1e9", "999999999d"])
def test_a_wrong_window_is_told(local: Client, empty_redis: redis.Redis, window: str) -> None:
    problem = problem_of(local.get("/api/v1/history", {"window": window}), 422, "invalid_field")
    assert problem["field"] == "window"


def test_wrong_rows_are_told(local: Client, empty_redis: redis.Redis) -> None:
    for rows in ("", "2", "true"):
        assert problem_of(local.get("/api/v1/history", {"rows": rows}), 422, "invalid_field")["field"] == "rows"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "text"),
        ({"text": "  "}, "text"),
        ({"text": "x" * 101}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"text": "a", "at": "now"}, "at"),
        ({"text": "a", "at": True}, "at"),
        ({"text": "a", "at": 5}, "at"),
        ({"text": "a", "at": 1e300}, "at"),
    ],
)
def test_a_wrong_mark_is_told(admin: Client, empty_redis: redis.Redis, sent: dict[str, object], field: str) -> None:
    problem = problem_of(admin.post("/api/v1/marks", sent, content_type="application/json"), 422, "invalid_field")
    assert problem["field"] == field
