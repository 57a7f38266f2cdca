"""docs/callbacks.md: its code works, and its tables and numbers are the code's."""

import asyncio
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import call_command

from ingest.callbacks import addresses, notice, post, targets
from ingest.kinds import CALLBACK, Context
from ingest.kinds.callbacks import Task, handle
from ingest.queue.payload import Payload
from tests.ingest.callbacks.conftest import Receiver, receiver  # noqa: F401 - a fixture
from tests.ingest.callbacks.test_notice import line

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "docs" / "callbacks.md").read_text()


def _block(language: str, word: str) -> str:
    return next(block for block in re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL) if word in block)


@pytest.fixture
def is_genuine() -> Any:
    names: dict[str, Any] = {}
    exec(_block("python", "def is_genuine"), names)  # noqa: S102 - it is what a reader copies
    return names["is_genuine"]


@pytest.mark.parametrize("secrets", [[], ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]])
def test_a_receiver_who_copies_the_code_knows_what_is_genuine(
    is_genuine: Any,
    receiver: Receiver,  # noqa: F811
    settings: Any,
    capsys: pytest.CaptureFixture[str],
    secrets: list[str],
) -> None:
    settings.CALLBACK_SECRET = secrets
    call_command("callback_secret")
    secret = capsys.readouterr().out.strip()
    task = msgspec.json.encode(Task("finished", receiver.url, msgspec.Raw(b'{"event":"finished"}')))
    payload = Payload("c" * 32, "callback", datetime.now(UTC), "low", "", "", None, task)
    asyncio.run(handle(payload, Context(payload.id)))
    [hit] = receiver.hits

    assert is_genuine(hit.headers, hit.body, secret)
    assert not is_genuine(hit.headers, hit.body + b" ", secret)
    assert not is_genuine(hit.headers, hit.body, "whsec_" + "A" * 32)
    assert not is_genuine({**hit.headers, "webhook-id": "other"}, hit.body, secret)
    assert not is_genuine({**hit.headers, "webhook-timestamp": str(int(time.time()) - 301)}, hit.body, secret)


def test_while_one_secret_replaces_another_both_are_shown_and_good(
    is_genuine: Any, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from ingest.callbacks import signature

    settings.CALLBACK_SECRET = ["whsec_" + "A" * 32, "whsec_" + "B" * 32]
    call_command("callback_secret")
    assert capsys.readouterr().out.split() == settings.CALLBACK_SECRET
    headers = signature.headers("a", int(time.time()), b"{}")
    assert all(is_genuine(headers, b"{}", secret) for secret in settings.CALLBACK_SECRET)


def test_the_body_is_the_one_that_is_sent() -> None:
    shown = json.loads(_block("json", '"job"'))
    error = shown["error"]
    told = notice.notice(notice.read(line(event="failed", event_id="a", attempts=4, error=error, at=shown["at"])))
    assert told.keys() == shown.keys()
    assert told["job"].keys() == shown["job"].keys()
    assert told["error"] == error


def test_every_event_of_the_scripts_is_in_the_table() -> None:
    scripts = "".join(path.read_text() for path in (REPOSITORY / "ingest" / "queue" / "lua").glob("*.lua"))
    calls = " ".join(re.findall(r"\btell\(([^)]*?), (?:queue|to|from)", scripts))
    said = set(re.findall(r"'(\w+)'", calls)) - {"retry", "dead"}
    listed = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    assert {"queued", "started", "finished", "retrying", "trash", "canceled"} <= said
    assert said <= listed


def test_its_numbers_are_the_codes() -> None:
    delays = [f"{delay:.0f}" for delay in CALLBACK.retry_delays]
    assert f"after {', '.join(delays[:-1])} and {delays[-1]} seconds" in TEXT
    assert f"within {post.TOTAL_SECONDS:.0f} seconds" in TEXT
    assert f"at most {targets.LENGTH:,} characters" in TEXT
    assert f"up to {notice.RESULT_BYTES // 1024} KiB" in TEXT
    ports = sorted(addresses.PORTS)
    assert f"ports {', '.join(map(str, ports[:-1]))} and {ports[-1]}" in TEXT
