"""Messages: what people say in chats, and the function that answers them.

MESSAGE_HANDLER names that function, sync or `async def`. It gets the Message and the Context, outside any transaction
and at least once, and what it returns is the job's result: anything that JSON can hold. What it raises is retried,
except `errors.PermanentError` and whatever has `retry = False`.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ingest.credentials import COVER, conceal, concealed
from ingest.kinds.context import Context
from ingest.kinds.errors import Invalid, PermanentError
from ingest.kinds.kind import EffectHandler, Identity, Kind
from ingest.queue.payload import Payload
from ingest.queue.retry import exponential

#: Characters of who said it where, and of the credential to answer with.
NAME_LENGTH: Final = 255
TOKEN_LENGTH: Final = 4_096

#: Fields that are names: they go into ids, keys and pages.
NAMES: Final = ("user_id", "source_type", "source_id", "chat_id", "chat_type", "message_id", "ordering_key")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_EVENT: Final = msgspec.json.Decoder(dict[str, Any])


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What the handler gets."""

    user_id: str
    message: str
    source_type: str = ""
    source_id: str = ""
    chat_id: str = ""
    chat_type: str = ""
    message_id: str = ""
    #: A credential: the job's log, progress, result and errors are kept without it.
    response_token: str = ""
    ordering_key: str = ""
    tenant: str = ""
    #: Whatever else the event said.
    fields: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Without the credential, since it ends in logs."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["response_token"] = COVER if self.response_token else ""
        return f"Message({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


#: What MESSAGE_HANDLER names; sync or `async def`.
Handler = Callable[[Message, Context], Any]


async def echo(message: Message, context: Context) -> dict[str, str]:
    """The handler that is there before yours: it says the same."""
    context.log(f"{message.user_id} said {len(message.message):,} characters")
    return {"reply": message.message}


def validate(event: Mapping[str, Any]) -> None:
    """Check the fields that only messages have. Raises Invalid."""
    for name in ("user_id", "message"):
        if event.get(name) in (None, ""):
            raise Invalid(name, "missing_field", f"A message must have {name}.")
    if not isinstance(event["message"], str):
        raise Invalid("message", "wrong_type", "message must be a text.")
    for name in NAMES:
        _check_text(event, name, NAME_LENGTH)
    _check_text(event, "response_token", TOKEN_LENGTH)


def _check_text(event: Mapping[str, Any], name: str, length: int) -> None:
    value = event.get(name)
    if value is None:
        return
    if not isinstance(value, str):
        raise Invalid(name, "wrong_type", f"{name} must be a text.")
    if len(value) > length:
        detail = f"{name} may have {length:,} characters, not {len(value):,}."
        raise Invalid(name, "too_long", detail, limit=length)
    if _CONTROL.search(value):
        raise Invalid(name, "invalid_value", f"{name} must not hold control characters.")


def identify(event: Mapping[str, Any], message_id: str | None) -> Identity:
    """A message with an id by where it was said; one without by who said what where, for a minute or so."""
    place = [event.get(name) or "" for name in ("source_type", "source_id", "chat_id")]
    said = (event.get("user_id") or "", event.get("message") or "", *place)
    says = "\0".join(said)
    if message_id is not None:
        return Identity((*place, message_id), says)
    return Identity(said, says, settings.MESSAGE_DEDUP_SECONDS)


def message_kind(path: str) -> Kind:
    """The kind of messages, with the handler of this dotted path. Raises ImproperlyConfigured."""
    return Kind(
        name="message",
        validate=validate,
        handler=_handling(handler_at(path)),
        batch=False,
        concurrency=settings.MESSAGE_CONCURRENCY,
        retry_delays=exponential(settings.MESSAGE_RETRY_SECONDS, settings.MESSAGE_RETRIES),
        timeout=settings.MESSAGE_TIMEOUT,
        result_ttl=settings.MESSAGE_TTL_SECONDS,
        user_field="user_id",
        ordering_field="ordering_key",
        id_field="message_id",
        source_field="source_type",
        callback_field="callback",
        identify=identify,
    )


def handler_at(path: str) -> Handler:
    """The function of this dotted path. Raises ImproperlyConfigured."""
    try:
        handler = import_string(path)
    except Exception as error:  # whatever the module does when it is imported
        raise ImproperlyConfigured(f"MESSAGE_HANDLER names {path!r}, which cannot be imported: {error}") from error
    if not callable(handler) or inspect.isclass(handler):
        raise ImproperlyConfigured(f"MESSAGE_HANDLER names {path!r}, which is no function.")
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        raise ImproperlyConfigured(
            f"MESSAGE_HANDLER names {path!r}, which must take a message and a context."
        ) from None
    except ValueError:
        pass  # not every built-in says what it takes
    return handler  # type: ignore[no-any-return]


def _handling(handler: Handler) -> EffectHandler:
    """The kind's handler: it reads the message, and keeps its credential out of all that is kept of it."""
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004

        async def handle(payload: Payload, context: Context) -> Any:
            message = read(payload)
            with _without_credential(message, context):
                return concealed(await handler(message, context), message.response_token)

        return handle

    def handle_sync(payload: Payload, context: Context) -> Any:
        message = read(payload)
        with _without_credential(message, context):
            return concealed(handler(message, context), message.response_token)

    return handle_sync


@contextmanager
def _without_credential(message: Message, context: Context) -> Iterator[None]:
    context.conceal(message.response_token)
    try:
        yield
    except BaseException as error:
        conceal(error, message.response_token)
        raise


def read(payload: Payload) -> Message:
    """The message that a job carries. Raises PermanentError."""
    try:
        event = _EVENT.decode(payload.body)
        validate(event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PermanentError(f"the message cannot be read: {error}") from None
    except Invalid as invalid:
        raise PermanentError(invalid.detail) from None
    known = {name: event.pop(name, None) or "" for name in (*NAMES, "message", "response_token")}
    known["message_id"] = known["message_id"] or payload.event_id or ""
    return Message(**known, tenant=payload.tenant, fields=event)
