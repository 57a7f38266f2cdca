"""`Idempotency-Key`: the same request again gets the first one's answer, and stores nothing more.

An answer is kept for 24 hours in Redis, and in this process while Redis cannot take it. That is for the answer alone:
that nothing is doubled rests on the ids. Events without an id get one from the key's owner, the key, the body's hash
and their place, so that a repeat is recognised though the answer was lost in a crash, or though the first copy went
into the other store.
"""

import asyncio
import hashlib
import random
import re
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import uuid_utils

from ingest.accept import Incoming
from ingest.api.answers import Answer, problem_answer
from ingest.api.asking import Away, ask, ask_async
from ingest.api.intake import Endpoint, Head, Taken
from ingest.api.problems import Problem, ProblemError
from ingest.api.sender import Sender
from ingest.queue import keys

#: How long an answer is kept, and how long a request is taken to be running that has none yet.
KEPT_SECONDS: Final = 24 * 3600
RUNNING_SECONDS: Final = 60
#: A request that is not answered by then is taken for one that a crash ended: taking in is bounded to less.
ANSWERED_SECONDS: Final = 5
#: Characters of a key.
LENGTH: Final = 255
#: Answers of this process alone, and their bytes.
HERE: Final = 1_000
HERE_BYTES: Final = 8 * 1024 * 1024
#: From this size on a body is hashed in a thread.
THREAD_BYTES: Final = 1024 * 1024

_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
#: Headers that belong to the answer; others are about the moment.
_KEPT_HEADERS: Final[tuple[str, ...]] = ("Location", "Preference-Applied")


@dataclass(frozen=True, slots=True)
class Keyed:
    """One request under an Idempotency-Key."""

    #: The name of its answer in Redis.
    name: str
    fingerprint: str
    #: What the ids of its events are made from.
    seed: str
    #: Tells this run from another one of the same request.
    token: str

    def own_id(self, index: int) -> str:
        """The id of the event in this place, where the client gave none: 128 bits."""
        return hashlib.sha256(f"{self.seed}\0{index}".encode()).hexdigest()[:32]


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """An answer, or with status 0 the mark of a request that runs."""

    fingerprint: str
    token: str
    status: int = 0
    content_type: str = ""
    headers: dict[str, str] = {}
    #: Compressed: a thousand items have much in common.
    body: bytes = b""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Stored)


def once(
    endpoint: Endpoint, head: Head, body: bytes, sender: Sender, take_in: Callable[[Keyed | None], Answer]
) -> Answer:
    """What `take_in` answers, or its answer of before. Raises ProblemError: 400 for a key that is none, 409 while the
    first one runs, 422 when that had another body; without a key whatever `take_in` raises.
    """
    keyed = _keyed(endpoint, head, body, sender)
    if keyed is None:
        return take_in(None)
    if (stored := _begin(keyed)) is not None:
        return stored
    answer = None
    try:
        answer = take_in(keyed)
    except ProblemError as error:
        answer = problem_answer(error.problem)
    finally:
        _end(keyed, answer)
    return answer


async def once_async(
    endpoint: Endpoint, head: Head, body: bytes, sender: Sender, take_in: Callable[[Keyed | None], Awaitable[Answer]]
) -> Answer:
    """The same on an event loop."""
    if "idempotency-key" not in head.headers:
        return await take_in(None)
    if len(body) < THREAD_BYTES:
        keyed = _keyed(endpoint, head, body, sender)
    else:
        keyed = await asyncio.to_thread(_keyed, endpoint, head, body, sender)
    if keyed is None:
        return await take_in(None)
    if (stored := await _begin_async(keyed)) is not None:
        return stored
    answer = None
    try:
        answer = await take_in(keyed)
    except ProblemError as error:
        answer = problem_answer(error.problem)
    finally:
        await _end_async(keyed, answer)
    return answer


def named(taken: Taken, keyed: Keyed | None) -> Taken:
    """The events with ids by their request, where they need one."""
    if keyed is None:
        return taken
    items = tuple(
        replace(item, own_id=keyed.own_id(index)) if isinstance(item, Incoming) and item.event_id is None else item
        for index, item in enumerate(taken.items)
    )
    return replace(taken, items=items)


def forget() -> None:
    """Know of no answer that Redis does not have."""
    _here.clear()


def _keyed(endpoint: Endpoint, head: Head, body: bytes, sender: Sender) -> Keyed | None:
    given = head.headers.get("idempotency-key")
    if given is None:
        return None
    key = _read(given)
    owner = "local" if sender.key_id is None else f"key {sender.key_id}"
    name = hashlib.sha256("\0".join((owner, endpoint.path, key)).encode()).hexdigest()[:32]
    hashed = hashlib.sha256(head.format.encode())
    if head.format == "binary":
        # A CloudEvent in binary mode: its headers are part of it.
        for header in sorted(each for each in head.headers if each.startswith("ce-")):
            hashed.update(f"\0{header}\0{head.headers[header]}".encode())
    hashed.update(b"\0")
    hashed.update(body)
    fingerprint = hashed.hexdigest()
    seed = "\0".join((owner, key, fingerprint))
    return Keyed(keys.idempotency(name), fingerprint, seed, uuid_utils.uuid7().hex)


def _read(given: str) -> str:
    """The key, which may be quoted, as a structured field is, or bare. Raises ProblemError 400."""
    given = given.strip()
    if quoted := _QUOTED.fullmatch(given):
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    else:
        key = given if not given.startswith('"') and _BARE.fullmatch(given) else ""
    if not 1 <= len(key) <= LENGTH:
        detail = f"Idempotency-Key must be 1 to {LENGTH} printable ASCII characters, bare or in double quotes."
        raise ProblemError(
            Problem(400, "invalid_idempotency_key", "Not an Idempotency-Key", detail, field="Idempotency-Key")
        )
    return key


# --- asking Redis, or what this process knows --------------------------------------------------------


def _begin(keyed: Keyed) -> Answer | None:
    mark = _ENCODER.encode(_Stored(keyed.fingerprint, keyed.token))
    found = _here.find(keyed.name)
    if found is None:
        try:
            found = ask(lambda client: _marking(client, keyed.name, mark).execute())[1:]
        except Away:
            found = _here.find_or_put(keyed.name, mark, RUNNING_SECONDS)
    return _earlier(keyed, *found)


async def _begin_async(keyed: Keyed) -> Answer | None:
    mark = _ENCODER.encode(_Stored(keyed.fingerprint, keyed.token))
    found = _here.find(keyed.name)
    if found is None:
        try:
            found = (await ask_async(lambda client: _marking(client, keyed.name, mark).execute()))[1:]
        except Away:
            found = _here.find_or_put(keyed.name, mark, RUNNING_SECONDS)
    return _earlier(keyed, *found)


def _end(keyed: Keyed, answer: Answer | None) -> None:
    """Keep the answer, unless sending the same again may do better; then the request may come again at once."""
    kept = _kept(keyed, answer)
    _here.drop(keyed.name)
    try:
        ask(lambda client: _writing(client, keyed.name, kept))
    except Away:
        if kept is not None:
            _here.put(keyed.name, kept, KEPT_SECONDS)


async def _end_async(keyed: Keyed, answer: Answer | None) -> None:
    kept = _kept(keyed, answer)
    _here.drop(keyed.name)
    try:
        await ask_async(lambda client: _writing(client, keyed.name, kept))
    except Away:
        if kept is not None:
            _here.put(keyed.name, kept, KEPT_SECONDS)


def _marking(client: Any, name: str, mark: bytes) -> Any:
    pipe = client.pipeline(transaction=True)
    pipe.set(name, mark, nx=True, ex=RUNNING_SECONDS)
    pipe.get(name)
    pipe.ttl(name)
    return pipe


def _writing(client: Any, name: str, kept: bytes | None) -> Any:
    return client.delete(name) if kept is None else client.set(name, kept, ex=KEPT_SECONDS)


def _kept(keyed: Keyed, answer: Answer | None) -> bytes | None:
    if answer is None or answer.again:
        return None
    headers: dict[str, str] = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    body = zlib.compress(answer.body, 1)
    return _ENCODER.encode(_Stored(keyed.fingerprint, keyed.token, answer.status, answer.content_type, headers, body))


def _earlier(keyed: Keyed, found: bytes | None, seconds_left: int) -> Answer | None:
    """What the first one was answered; None: this is the first. Raises ProblemError 409 and 422."""
    try:
        stored = _DECODER.decode(found or b"")
    except msgspec.MsgspecError:
        return None  # nobody's of ours
    if stored.token == keyed.token:
        return None
    if stored.fingerprint != keyed.fingerprint:
        detail = "This Idempotency-Key came with another body before. Another request needs another key."
        raise ProblemError(
            Problem(422, "idempotency_key_reused", "The key was used before", detail, field="Idempotency-Key")
        )
    if not stored.status:
        raise ProblemError(_running(seconds_left))
    headers = {**stored.headers, "Idempotency-Replayed": "true"}
    return Answer(stored.status, zlib.decompress(stored.body), stored.content_type, headers)


def _running(seconds_left: int) -> Problem:
    """The first one is answered within seconds; what is older was ended by a crash, and its mark runs out."""
    crashed = RUNNING_SECONDS - seconds_left > ANSWERED_SECONDS
    wait = max(seconds_left, 1) if crashed else random.randint(1, 2)  # noqa: S311 - spreads, no secret
    return Problem(
        409,
        "idempotency_in_progress",
        "The same request is running",
        "A request with this Idempotency-Key is not answered yet. Sent again later, it gets that one's answer.",
        retryable=True,
        headers={"Retry-After": str(wait)},
        field="Idempotency-Key",
    )


class _Here:
    """What Redis could not take, of this process alone; the oldest go when it is too much."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    def find(self, name: str) -> tuple[bytes, int] | None:
        """The value, and the seconds that it has left."""
        if not self._entries:
            return None
        with self._lock:
            return self._find(name)

    def find_or_put(self, name: str, value: bytes, seconds: int) -> tuple[bytes, int]:
        with self._lock:
            if (found := self._find(name)) is None:
                self._put(name, value, seconds)
            return found or (value, seconds)

    def put(self, name: str, value: bytes, seconds: int) -> None:
        with self._lock:
            self._put(name, value, seconds)

    def drop(self, name: str) -> None:
        if self._entries:
            with self._lock:
                self._drop(name)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _find(self, name: str) -> tuple[bytes, int] | None:
        if (found := self._entries.get(name)) is None:
            return None
        left = found[0] - time.monotonic()
        if left <= 0:
            self._drop(name)
            return None
        return found[1], int(left)

    def _put(self, name: str, value: bytes, seconds: int) -> None:
        self._drop(name)
        self._entries[name] = (time.monotonic() + seconds, value)
        self._bytes += len(value)
        while len(self._entries) > HERE or self._bytes > HERE_BYTES:
            self._drop(next(iter(self._entries)))

    def _drop(self, name: str) -> None:
        if (found := self._entries.pop(name, None)) is not None:
            self._bytes -= len(found[1])


_here: Final = _Here()
