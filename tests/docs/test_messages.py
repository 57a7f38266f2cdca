"""docs/messages.md: its request is answered as it shows, its function runs, its table is the code's."""

import asyncio
import json
import re
import shlex
import sys
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from ingest.credentials import SHORTEST
from ingest.kinds import Context
from ingest.kinds.messages import NAMES, Message, message_kind
from ingest.queue.payload import Payload

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "messages.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def _sent() -> Any:
    (command,) = _blocks("sh")
    return json.loads(shlex.split(command.replace("\\\n", " "))[-1])


@pytest.mark.django_db
def test_its_request_is_answered_as_it_shows(empty_redis: redis.Redis) -> None:
    answer = Client(headers={"host": "localhost"}).post("/api/messages", _sent(), content_type="application/json")
    assert answer.status_code == 202
    assert answer.json() == json.loads(_blocks("json")[0])


def test_its_function_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    async def send(token: str, chat: str, text: str, *, key: str) -> str:
        sent.append((token, chat, text, key))
        return "m1"

    telegram = types.ModuleType("telegram")
    telegram.send = send  # type: ignore[attr-defined]
    bot = types.ModuleType("shop_bot")
    monkeypatch.setitem(sys.modules, "telegram", telegram)
    monkeypatch.setitem(sys.modules, "shop_bot", bot)
    exec(_blocks("python")[0], bot.__dict__)  # noqa: S102 - it is what a reader copies
    kind = message_kind("shop_bot.answer")
    payload = Payload("j1", "message", datetime.now(UTC), "medium", "", "", None, json.dumps(_sent()).encode())
    answered: Any = kind.handler(payload, Context("j1"))  # type: ignore[call-arg,arg-type]
    assert asyncio.run(answered) == {"answered_as": "m1"}
    assert sent == [("bot_token", "chat123", "HELLO, WORLD!", "j1")]


def test_its_settings_have_the_defaults_that_it_says() -> None:
    section = TEXT.partition("| setting | default |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", section, flags=re.MULTILINE)
    shown = {
        name: int(value.replace(",", ""))
        for names, values in rows
        for name, value in zip(re.findall(r"`(\w+)`", names), values.split(", "), strict=True)
    }
    assert shown.pop("RETENTION_DAYS_MESSAGE") == 30
    assert shown == {name: getattr(settings, name) for name in shown}
    assert shown.keys() == {name for name in dir(settings) if name.startswith("MESSAGE_")} - {
        "MESSAGE_HANDLER", "MESSAGE_TAGS", "MESSAGE_STORAGE", "MESSAGE_LEVEL",
    }  # fmt: skip


def test_its_fields_are_the_codes() -> None:
    table = TEXT.partition("| field | |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", re.sub(r"\|[^|]*\|$", "", table, flags=re.MULTILINE))) == {
        *NAMES, "message", "response_token", "callback",
    }  # fmt: skip
    assert set(NAMES) < set(Message.__struct_fields__)
    assert f"fewer than {SHORTEST} characters" in TEXT


def test_the_words_for_callbacks_are_those_that_are_sent() -> None:
    table = TEXT.partition("## Being told")[2].partition("\n\n## ")[0]
    callbacks = (Path(__file__).resolve().parents[2] / "docs" / "callbacks.md").read_text()
    told = set(re.findall(r"`(\w+)`", table))
    assert told == {"queued", "scheduled", "started", "finished", "retrying", "failed"}
    assert all(f"| `{event}` |" in callbacks for event in told)
