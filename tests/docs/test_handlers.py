"""docs/handlers.md: its example runs, and its tables are the code's."""

import asyncio
import dataclasses
import json
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.dispatch import Signal

from ingest import effects, jobs, signals
from ingest.effects import RESULT_BYTES
from ingest.kinds import KINDS, Context, Kind, register_named
from ingest.queue.calls import LOG_LINES
from ingest.queue.payload import Payload, decode
from ingest.queue.transitions import Transitions
from ingest.signals import processed
from ingest.worker.horse import KILL_SECONDS
from ingest.worker.worker import GRACE

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "handlers.md").read_text()


BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[tuple[str | None, Any]], list[int]]]:
    """Its address; what it got, each with its Idempotency-Key; what it answers, 200 once that is used up."""
    got: list[tuple[str | None, Any]] = []
    answers: list[int] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.headers["Idempotency-Key"], json.loads(body)))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", got, answers
        server.shutdown()


@pytest.fixture
def forward_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The example as a file of somebody's, named in INGEST_HANDLERS."""
    (tmp_path / "forward.py").write_text(BLOCKS[1])
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(KINDS)
    register_named(["forward.FORWARD"])
    module = sys.modules["forward"]
    yield module
    module.http.clear()
    processed.disconnect(dispatch_uid="forward")
    del sys.modules["forward"]
    KINDS.clear()
    KINDS.update(before)


@pytest.mark.django_db
def test_a_fifth_kind_is_one_file_that_forwards_alerts_to_a_webhook(
    forward_module: Any, webhook: tuple[str, list[tuple[str | None, Any]], list[int]], empty_redis: redis.Redis
) -> None:
    """Issue 5 (5)."""
    address, got, answers = webhook
    forward_module.URL = address
    answers.append(503)
    alert = Payload("a" * 32, "alert", datetime.now(UTC), "high", "edge", "", None, b'{"title":"Disk full"}')
    for _ in range(2):  # the second run meets its row
        jobs.process(KINDS["alert"], [(alert, 0)])
    kind = KINDS["forward"]
    claim = Transitions(empty_redis).claim("w", ["medium"], claim_id="c", lease=30)
    assert claim is not None
    (job,) = claim.jobs
    payload = decode(job.data, job.id)
    with pytest.raises(RuntimeError, match="503"):
        effects.run(kind, payload, Context(job.id))
    assert effects.run(kind, payload, Context(job.id, attempt=2)) == 200
    (first_key, body), (second_key, _) = got
    assert first_key == second_key == job.id
    assert body["alert"] == {"title": "Disk full"}


@pytest.mark.parametrize(
    ("path", "said"),
    [("nowhere.KIND", "cannot be imported"), ("json.dumps", "is no Kind"), ("ingest.kinds.ALERT.name", "cannot be")],
)
def test_a_handler_that_is_none_stops_the_start(path: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=said):
        register_named([path])


def test_the_example_registers_a_kind_whose_handler_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    async def send(to: str, text: str, *, idempotency_key: str) -> str:
        sent.append((to, text, idempotency_key))
        return "m1"

    monkeypatch.setitem(sys.modules, "mailer", SimpleNamespace(send=send))  # type: ignore[arg-type]
    before = dict(KINDS)
    names: dict[str, Any] = {}
    try:
        exec(BLOCKS[0], names)  # noqa: S102 - the reader's own
        names["ready"]()
        kind = KINDS["mail"]
        payload = Payload("e1", "mail", datetime.now(UTC), "high", "", "", None, b'{"to":"a","text":"b"}')
        said: list[Any] = []
        context = Context("e1", report=lambda *report: said.append(report))
        result = asyncio.run(kind.handler(payload, context))  # type: ignore[call-arg,arg-type]
    finally:
        KINDS.clear()
        KINDS.update(before)
    assert (kind.mode, result, sent) == ("async", {"message_id": "m1"}, [("a", "b", "e1")])
    assert said == [("log", "attempt 1, to a"), ("progress", 1.0)]


def test_every_field_that_it_names_has_the_default_that_it_says() -> None:
    fields_part = TEXT.partition("## What else a kind says")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", fields_part, flags=re.MULTILINE)
    fields = {field.name: field for field in dataclasses.fields(Kind)}
    shown = {name: default.strip("`") for name, default in rows}
    assert set(shown) == {
        "retry_delays", "timeout", "concurrency", "dead_letters", "result_ttl", "ordering_field", "internal"
    }  # fmt: skip
    assert shown["retry_delays"] == "(1, 5, 25)"
    assert fields["retry_delays"].default == (1, 5, 25)
    assert fields["ordering_field"].default == ""
    for name in ("timeout", "concurrency", "dead_letters", "internal"):
        assert shown[name] == str(fields[name].default)


def test_its_numbers_are_the_codes() -> None:
    assert f"JSON, at most {RESULT_BYTES // 1024**2} MiB" in TEXT
    assert f"the last {LOG_LINES} lines" in TEXT
    assert f"killed {KILL_SECONDS:g} s later" in TEXT
    assert f"it has {GRACE:g} seconds" in TEXT


def test_its_table_has_every_signal() -> None:
    part = TEXT.partition("## Signals")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", part, flags=re.MULTILINE)
    assert set(named) == {name for name, value in vars(signals).items() if isinstance(value, Signal)}
