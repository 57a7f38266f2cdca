"""The kind `message`: its handler by the settings, what a handler gets, and the credential that nothing keeps (D11)."""

import asyncio
import json
import traceback
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from ingest.credentials import concealed, without_concealed
from ingest.kinds import KINDS, Context
from ingest.kinds.errors import PermanentError
from ingest.kinds.messages import Message, echo, handler_at, message_kind, read
from ingest.queue.payload import Payload

TOKEN = "123456:AAE-bot/token"
SAID = {"user_id": "user123", "message": "Hello, world!", "response_token": TOKEN, "mood": "good"}


def payload(body: dict[str, Any] | bytes = SAID, event_id: str | None = "msg123") -> Payload:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Payload("j1", "message", datetime.now(UTC), "medium", "telegram", "acme", event_id, raw)


# What MESSAGE_HANDLER may name, and what not.


def sync_handler(message: Message, context: Context) -> dict[str, str]:
    context.log(f"token {message.response_token}")
    context.progress({"with": message.response_token})
    if message.message == "fail":
        raise RuntimeError(f"https://chat.example.org/bot{message.response_token}/send answered 502")
    return {"sent_with": message.response_token, "reply": message.message.upper()}


async def async_handler(message: Message, context: Context) -> dict[str, str]:
    return sync_handler(message, context)


class _Callable:
    async def __call__(self, message: Message, context: Context) -> str:
        return message.message


callable_handler = _Callable()
too_few = lambda message: None  # noqa: E731
number = 7


def test_the_kind_is_that_of_the_settings() -> None:
    """D3, D9."""
    kind = KINDS["message"]
    assert (kind.retry_delays, kind.timeout, kind.concurrency) == ((10, 20, 40, 80, 160), 300, 10)
    assert (kind.mode, kind.result_ttl, kind.dead_letters, kind.internal) == ("async", 86_400, True, False)


@pytest.mark.parametrize(
    ("name", "mode"), [("sync_handler", "single"), ("async_handler", "async"), ("callable_handler", "async")]
)
def test_a_handler_is_sync_or_async(name: str, mode: str) -> None:
    assert message_kind(f"{__name__}.{name}").mode == mode


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere.at_all", "cannot be imported: No module named"),
        (f"{__name__}.missing", "cannot be imported"),
        ("word", "cannot be imported"),
        (f"{__name__}.number", "is no function"),
        (f"{__name__}._Callable", "is no function"),
        (f"{__name__}.too_few", "must take a message and a context"),
    ],
)
def test_a_wrong_one_stops_the_start_with_a_sentence(path: str, why: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"MESSAGE_HANDLER names '{path}', which.*{why}"):
        handler_at(path)


def test_a_handler_gets_the_message() -> None:
    message = read(payload())
    assert message == Message(
        user_id="user123",
        message="Hello, world!",
        message_id="msg123",
        response_token=TOKEN,
        tenant="acme",
        fields={"mood": "good"},
    )
    assert TOKEN not in repr(message)
    assert "user123" in str(message)


@pytest.mark.parametrize("body", [b"no JSON", b"[]", {"message": "of nobody"}])
def test_what_is_no_message_is_not_tried_again(body: Any) -> None:
    with pytest.raises(PermanentError):
        read(payload(body))


def test_the_echo_says_the_same() -> None:
    said: list[Any] = []
    context = Context("j1", report=lambda *what: said.append(what))
    assert asyncio.run(echo(read(payload()), context)) == {"reply": "Hello, world!"}
    assert said == [("log", "user123 said 13 characters")]


@pytest.mark.parametrize("name", ["sync_handler", "async_handler"])
def test_d11_no_log_progress_result_or_error_holds_the_credential(name: str) -> None:
    handler = message_kind(f"{__name__}.{name}").handler
    said: list[Any] = []
    context = Context("j1", report=lambda *what: said.append(what))

    def run(**fields: str) -> Any:
        done: Any = handler(payload({**SAID, **fields}), context)  # type: ignore[call-arg,arg-type]
        return asyncio.run(done) if asyncio.iscoroutine(done) else done

    assert run() == {"sent_with": "•••", "reply": "HELLO, WORLD!"}
    assert said == [("log", "token •••"), ("progress", {"with": "•••"})]
    with pytest.raises(RuntimeError) as caught:
        run(message="fail")
    text = "".join(traceback.format_exception(caught.value))
    assert "bot•••/send answered 502" in without_concealed(text, caught.value)
    assert run(response_token="HELLO") == {"sent_with": "HELLO", "reply": "HELLO, WORLD!"}, "too short to be one"


def test_a_credential_is_found_as_addresses_and_json_write_it() -> None:
    text = 'a 123456:AAE-bot/token b 123456%3AAAE-bot%2Ftoken c 123456%3AAAE-bot/token d "123456:AAE-bot/token"'
    assert concealed({text: [text]}, TOKEN) == {'a ••• b ••• c ••• d "•••"': ['a ••• b ••• c ••• d "•••"']}
    assert concealed({"n": 7, "none": None}, TOKEN) == {"n": 7, "none": None}
