"""What a callback tells, and what it keeps to itself."""

import base64
import json
from typing import Any

import pytest

from ingest.callbacks import notice
from ingest.callbacks.notice import Unreadable


def line(**changes: Any) -> bytes:
    values = {
        "event": "finished", "id": "0" * 32, "at": "2026-11-22T10:00:00.123456Z", "queue": "high", "kind": "alert",
        "callback": "https://hooks.example.org/?token=hunter2", "source": "edge", "tenant": "", "attempts": 1,
    }  # fmt: skip
    return json.dumps(values | changes).encode()


def result(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_it_speaks_the_words_of_the_contract() -> None:
    told = notice.notice(notice.read(line(event_id="client-1", result=result({"inserted": 2}))))

    assert told == {
        "event": "finished",
        "at": "2026-11-22T10:00:00.123456Z",
        "job": {
            "id": "0" * 32,
            "event_id": "client-1",
            "kind": "alert",
            "source": "edge",
            "tenant": None,
            "state": "finished",
            "queue": "high",
            "priority": "high",
            "attempts": 2,
        },
        "result": {"inserted": 2},
        "error": None,
    }


@pytest.mark.parametrize(
    ("event", "attempts"),
    [*((event, 1) for event in ("queued", "scheduled", "retrying", "failed", "trash", "canceled")), ("started", 2)],
)
def test_attempts_count_the_execution_that_goes_on(event: str, attempts: int) -> None:
    assert notice.notice(notice.read(line(event=event)))["job"]["attempts"] == attempts


def test_d11_credentials_do_not_travel() -> None:
    error = {"type": "KeyError", "message": "no chat for {'response_token': 'hunter2'}", "reason": "error"}
    answer = {"response_token": "hunter2", "said": "https://u:hunter2@x.example/"}
    told = notice.notice(notice.read(line(error=error, result=result(answer))))

    assert "hunter2" not in json.dumps(told)
    assert told["error"] == {
        "type": "KeyError",
        "message": "no chat for {'response_token': •••}",
        "reason": "error",
    }


def test_a_large_result_is_not_told() -> None:
    assert notice.notice(notice.read(line(result=result("x" * 70_000))))["result"] is None


@pytest.mark.parametrize("given", ["!", "AAAA", base64.b64encode(b"[" * 10_000).decode()])
def test_a_result_that_cannot_be_read_is_not_told(given: str) -> None:
    assert notice.notice(notice.read(line(result=given)))["result"] is None


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", line(id=7), line(callback=None), b"[" * 100_000])
def test_what_no_script_wrote_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        notice.read(raw)
