"""docs/handlers.md: its example runs, and its tables are the code's."""

import asyncio
import dataclasses
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.effects import RESULT_BYTES
from ingest.kinds import KINDS, Context, Kind
from ingest.queue.calls import LOG_LINES
from ingest.queue.payload import Payload
from ingest.worker.horse import KILL_SECONDS
from ingest.worker.worker import GRACE

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "handlers.md").read_text()


def test_the_example_registers_a_kind_whose_handler_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    async def send(to: str, text: str, *, idempotency_key: str) -> str:
        sent.append((to, text, idempotency_key))
        return "m1"

    monkeypatch.setitem(sys.modules, "mailer", SimpleNamespace(send=send))  # type: ignore[arg-type]
    before = dict(KINDS)
    names: dict[str, Any] = {}
    try:
        for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
            exec(block, names)  # noqa: S102 - the reader's own
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
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", TEXT, flags=re.MULTILINE)
    fields = {field.name: field for field in dataclasses.fields(Kind)}
    shown = {name: default.strip("`") for name, default in rows}
    assert set(shown) == {
        "retry_delays", "timeout", "concurrency", "dead_letters", "result_ttl", "internal"
    }  # fmt: skip
    assert shown["retry_delays"] == "(1, 5, 25)"
    assert fields["retry_delays"].default == (1, 5, 25)
    for name in ("timeout", "concurrency", "dead_letters", "internal"):
        assert shown[name] == str(fields[name].default)


def test_its_numbers_are_the_codes() -> None:
    assert f"JSON, at most {RESULT_BYTES // 1024**2} MiB" in TEXT
    assert f"the last {LOG_LINES} lines" in TEXT
    assert f"killed {KILL_SECONDS:g} s later" in TEXT
    assert f"it has {GRACE:g} seconds" in TEXT
