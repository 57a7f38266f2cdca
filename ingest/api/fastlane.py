"""The fast lane: taking in without Django's request machinery, which costs a thread per request.

Under Daphne a Django REST framework view takes in a fifth of what this does. It does itself what
Django would have done: ALLOWED_HOSTS, the security headers, the request's id and its line in the log.
"""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from time import perf_counter
from typing import Any, Final, TypeVar

from csp.utils import build_policy
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from ingest.accept import Unavailable, accept_async
from ingest.api import (
    admission,
    answers,
    batches,
    dropins,
    idempotency,
    intake,
    limits,
    mappings,
    positions,
    preferences,
    resolving,
    tally,
)
from ingest.api.access import Visit, visit
from ingest.api.answers import Answer
from ingest.api.idempotency import Keyed
from ingest.api.inflate import inflate
from ingest.api.intake import Endpoint, Head
from ingest.api.keys import Sender, authenticate_async, credential, require
from ingest.api.problems import ProblemError, disallowed_host, server_error

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
T = TypeVar("T")
App = Callable[..., Awaitable[None]]

logger = logging.getLogger(__name__)

#: From this size on a body is read in a thread: 5 MiB would hold the event loop for 0.1 s.
THREAD_BYTES: Final = 64 * 1024


class _Gone(Exception):
    """The client hung up."""


class FastLane:
    """ASGI application: takes in what is posted to the endpoints, and hands everything else to Django."""

    def __init__(self, django: App) -> None:
        self._django = django
        self._in_flight = limits.InFlight()
        self._security_headers = {secure: _security_headers(secure) for secure in (False, True)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI's path begins with what is served elsewhere on the host.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        endpoint = intake.endpoint_at(path) if scope["method"] == "POST" else None
        if endpoint is None or not _may_be_plain(scope):
            await self._django(scope, receive, send)
            return
        headers = _headers(scope)
        this = visit("POST", endpoint.path, _peer(scope), headers)
        try:
            answer = await self._take_in(endpoint, scope, headers, receive, this)
        except ProblemError as error:
            answer = answers.problem_answer(error.problem)
        except _Gone:
            this.log(499)
            return
        except Exception:
            logger.exception("Request %s failed", this.request_id)
            answer = answers.problem_answer(server_error())
        answer = dropins.dressed(endpoint, answer)
        security_headers = self._security_headers[_is_secure(scope, headers)]
        await _send(send, answer, {"X-Request-Id": this.request_id, **security_headers})
        this.log(answer.status)

    async def _take_in(
        self, endpoint: Endpoint, scope: Scope, headers: Mapping[str, str], receive: Receive, this: Visit
    ) -> Answer:
        host = _host(scope, headers)
        held = _Held(self._in_flight)
        body = None
        try:
            query = scope["query_string"].decode("latin-1")
            elsewhere = intake.url_key(endpoint, query)
            if endpoint.key_member and credential(headers) is None:
                # The key is in the body, so that comes first.
                body = await _read(receive, intake.check_head(endpoint, headers), held)
                elsewhere = intake.body_key(endpoint, body)
            sender = await authenticate_async(headers, peer=_peer(scope), host=host, elsewhere=elsewhere)
            this.sender = sender.name
            with tally.refusals(sender):
                require(sender, "ingest")
                head = intake.check_head(endpoint, headers, query)
                admission.check(sender, status=endpoint.over_rate)
                if body is None:
                    body = await _read(receive, head, held)
                store = functools.partial(_store, endpoint, head, body, sender, this)
                return await idempotency.once_async(endpoint, head, body, sender, store)
        finally:
            held.give_back()


class _Held:
    """The bytes that one request holds of those in flight."""

    def __init__(self, in_flight: limits.InFlight) -> None:
        self._in_flight = in_flight
        self._bytes = 0

    def take(self, size: int) -> None:
        """Raises ProblemError 503."""
        self._in_flight.take(size)
        self._bytes += size

    def give_back(self) -> None:
        self._in_flight.give_back(self._bytes)


async def _read(receive: Receive, head: Head, held: _Held) -> bytes:
    """The whole body, unpacked."""
    chunks = []
    async for chunk in _body(receive):
        held.take(len(chunk))
        chunks.append(chunk)
    body = b"".join(chunks)
    if head.encoding:
        body = await asyncio.to_thread(inflate, head.encoding, body)
        held.take(len(body))
    return body


async def _store(
    endpoint: Endpoint, head: Head, body: bytes, sender: Sender, this: Visit, keyed: Keyed | None
) -> Answer:
    """A body's events into a store."""
    # Here as well, since under an Idempotency-Key a refusal leaves `once_async` as an answer.
    with tally.refusals(sender):
        return await _store_read(endpoint, head, body, sender, this, keyed)


async def _store_read(
    endpoint: Endpoint, head: Head, body: bytes, sender: Sender, this: Visit, keyed: Keyed | None
) -> Answer:
    began = perf_counter()
    if endpoint.hook is not None and endpoint.hook.check is not None:
        await asyncio.to_thread(endpoint.hook.check, body)
    said = await mappings.current_async()
    if len(body) < THREAD_BYTES:
        taken = intake.read_body(endpoint, head, body, sender, said)
    else:
        taken = await asyncio.to_thread(intake.read_body, endpoint, head, body, sender, said)
    this.events = len(taken.items)
    tally.read(sender, taken.items)
    tally.truncated(sender, endpoint.vendor, taken.truncated)
    taken = replace(taken, items=await resolving.with_open_priority_async(sender, taken.items))
    prefer = preferences.read(head.headers)
    with tally.all_or_nothing(sender, taken.events):
        answers.check_strict(taken, prefer)
    taken = replace(taken, items=await admission.admit_async(sender, taken.items, status=endpoint.over_rate))
    with tally.all_or_nothing(sender, taken.events):
        answers.check_strict(taken, prefer)
    events = idempotency.named(taken, keyed).events
    try:
        receipts = await _finish(accept_async(events, strict=prefer.strict)) if events else []
    except Unavailable as error:
        problem = answers.unavailable(error)
        tally.unstored(sender, events, problem)
        raise ProblemError(problem) from None
    tally.stored(sender, receipts, perf_counter() - began)
    position = await positions.position_async(endpoint, receipts)
    answer = answers.answer(endpoint, taken, receipts, prefer, position=position)
    await batches.keep_async(answer.batch, sender)
    return answer


async def _finish(accepting: Awaitable[T]) -> T:
    """Wait also when the server stops meanwhile: what is being stored is answered before the end."""
    task = asyncio.ensure_future(accepting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        return await task


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    """The body's parts as they come. Raises ProblemError 413 or 408, and _Gone."""
    size = 0
    more = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.BODY_SECONDS
    while more:
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise limits.too_slow() from None
        if message["type"] == "http.disconnect":
            raise _Gone
        size += len(message.get("body", b""))
        if size > limits.WIRE_BYTES:
            raise limits.body_too_large()
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case name; one that stands twice is joined, so that neither copy is overlooked."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _peer(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _host(scope: Scope, headers: Mapping[str, str]) -> str:
    """The host that the request names. Raises ProblemError 400 when it is none of ALLOWED_HOSTS."""
    host = headers.get("host")
    if host is None:  # HTTP/1.0
        server = scope.get("server") or ("", None)
        host = f"[{server[0]}]" if ":" in server[0] else server[0]
    if not _is_allowed(host, tuple(settings.ALLOWED_HOSTS)):
        raise ProblemError(disallowed_host())
    return host


@lru_cache(maxsize=100)
def _is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain and validate_host(domain, allowed))


def _is_secure(scope: Scope, headers: Mapping[str, str]) -> bool:
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        given = headers.get(name.removeprefix("HTTP_").replace("_", "-").lower())
        if given is not None:
            return bool(given.split(",", 1)[0].strip() == value)
    return bool(scope.get("scheme") == "https")


def _may_be_plain(scope: Scope) -> bool:
    """Whether Django would not redirect the request to https."""
    return not settings.SECURE_SSL_REDIRECT or _is_secure(scope, _headers(scope))


def _security_headers(secure: bool) -> dict[str, str]:
    """What Django's and django-csp's middleware add to every answer."""
    headers = {
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "Content-Security-Policy": build_policy(),
    }
    if settings.SECURE_CONTENT_TYPE_NOSNIFF:
        headers["X-Content-Type-Options"] = "nosniff"
    if settings.SECURE_REFERRER_POLICY:
        headers["Referrer-Policy"] = settings.SECURE_REFERRER_POLICY
    if settings.SECURE_CROSS_ORIGIN_OPENER_POLICY:
        headers["Cross-Origin-Opener-Policy"] = settings.SECURE_CROSS_ORIGIN_OPENER_POLICY
    if secure and settings.SECURE_HSTS_SECONDS:
        value = f"max-age={settings.SECURE_HSTS_SECONDS}"
        value += "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
        value += "; preload" if settings.SECURE_HSTS_PRELOAD else ""
        headers["Strict-Transport-Security"] = value
    return headers


async def _send(send: Send, answer: Answer, further: Mapping[str, str]) -> None:
    headers = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        **further,
        **answer.headers,
    }
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
