"""The kind `callback`: one try of telling, and what its failures mean."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ingest.callbacks import CallbackFailed
from ingest.kinds import CALLBACK, Context
from ingest.kinds.callbacks import Task, handle
from ingest.kinds.errors import PermanentError
from ingest.queue.payload import Payload
from tests.ingest.callbacks.conftest import Receiver, canary, receiver  # noqa: F401 - fixtures
from tests.ingest.callbacks.test_functions import HERE, told

NOTICE = b'{"event":"finished","big":18446744073709551616}'


def tell(callback: str, body: bytes | None = None) -> None:
    task = msgspec.json.encode(Task("finished", callback, msgspec.Raw(NOTICE)))
    payload = Payload("c" * 32, "callback", datetime.now(UTC), "low", "", "", None, task if body is None else body)
    asyncio.run(handle(payload, Context(payload.id, attempt=2)))


def test_a_url_gets_the_notice_signed_under_the_jobs_id(receiver: Receiver) -> None:  # noqa: F811
    tell(receiver.url)

    [hit] = receiver.hits
    assert hit.body == NOTICE
    assert hit.headers["webhook-id"] == "c" * 32
    assert hit.headers["webhook-signature"].startswith("v1,")
    assert abs(int(hit.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60


def test_a_function_gets_the_notice(settings: Any) -> None:
    settings.CALLBACKS = (f"{HERE}.take",)
    told.clear()
    tell(f"{HERE}.take")
    assert told[0][0]["event"] == "finished"


def test_429_and_5xx_are_tried_again_and_4xx_is_not(receiver: Receiver) -> None:  # noqa: F811
    receiver.answer = lambda hit: 503
    with pytest.raises(CallbackFailed, match="answered 503"):
        tell(receiver.url)
    receiver.answer = lambda hit: 404
    with pytest.raises(PermanentError, match="answered 404"):
        tell(receiver.url)


@pytest.mark.parametrize(
    ("callback", "why"),
    [
        ("os.system", "the function os.system is not in CALLBACKS"),
        ("file:///etc/passwd", "the callback's address must be an http or https address"),
        ("", "the callback's address must be an http or https address"),
        ("http://127.0.0.1:80/", "127.0.0.1 at port 80 is not a public web server"),
        ("http://u:hunter2@127.0.0.1/", "must not hold a user name or password"),
    ],
)
def test_what_must_not_be_called_is_permanent(callback: str, why: str) -> None:
    """S9, S10: a job is data that anybody with Redis may write, so it is judged again when it is called."""
    with pytest.raises(PermanentError, match=why) as refused:
        tell(callback)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("body", [b"{}", b'{"title":"x","callback":"https://x.example/","notice":7}', b"[" * 10_000])
def test_what_cannot_be_read_is_permanent(body: bytes) -> None:
    with pytest.raises(PermanentError, match="cannot be read"):
        tell("", body)


def test_it_is_tried_six_times_from_ten_seconds_doubling() -> None:
    assert CALLBACK.retry_delays == (10, 20, 40, 80, 160)
    assert (CALLBACK.mode, CALLBACK.internal, CALLBACK.default_priority) == ("async", True, "low")
