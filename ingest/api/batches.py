"""What became of each item of a batch, for whoever asks later: for 24 hours, and of all batches the newest 128 MiB.

What is kept is small, 17 bytes for an item that was stored, since its job says the rest. While Redis is away it waits
in this process.
"""

import threading
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from ingest.api.answers import Batch
from ingest.api.asking import Away, ask, ask_async
from ingest.api.sender import Sender
from ingest.queue import keys
from ingest.queue.connections import connection

KEPT_SECONDS: Final = 24 * 3600
MOST_BYTES: Final = 128 * 1024 * 1024
#: Batches that wait in this process for Redis, and how many of them go along with the next one.
WAITING: Final = 1_000
ALONG: Final = 10
#: Characters kept of why an item was refused.
DETAIL_LENGTH: Final = 200

_SCRIPT: Final = (Path(__file__).parent / "batch.lua").read_text()


class Item(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One item, in its place."""

    status: int
    #: The job's, 16 bytes; empty: none was stored.
    job: bytes = b""
    duplicate: bool = False
    #: Of an item that was refused; of the others their jobs know it.
    event_id: str | None = None
    code: str = ""
    detail: str = ""
    retryable: bool = False

    @property
    def job_id(self) -> str:
        return self.job.hex()


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """One batch. With a tenant it exists for that one's callers alone."""

    id: str
    tenant: str
    durability: str
    counts: dict[str, int]
    items: list[Item]


_DECODER: Final = msgspec.msgpack.Decoder(Kept)


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: str
    record: bytes


_waiting: Final[deque[_Waiting]] = deque(maxlen=WAITING)
_lock: Final = threading.Lock()


def keep(batch: Batch | None, sender: Sender) -> None:
    """Never fails, and waits for Redis as acceptance does."""
    if batch is None:
        return
    todo = deque([_Waiting(batch.id, _record(batch, sender))])
    try:
        ask(lambda client: _call(client, todo[0]))
        todo = _along()
        while todo:
            ask(lambda client: _call(client, todo[0]))
            todo.popleft()
    except Away:
        _waiting.extend(todo)


async def keep_async(batch: Batch | None, sender: Sender) -> None:
    """The same on an event loop."""
    if batch is None:
        return
    todo = deque([_Waiting(batch.id, _record(batch, sender))])
    try:
        await ask_async(lambda client: _call(client, todo[0]))
        todo = _along()
        while todo:
            await ask_async(lambda client: _call(client, todo[0]))
            todo.popleft()
    except Away:
        _waiting.extend(todo)


def find(batch_id: str) -> Kept | None:
    """Raises redis.RedisError when Redis is away and may know it."""
    here = next((each.record for each in list(_waiting) if each.id == batch_id), None)
    record: Any = here if here is not None else connection().get(keys.batch(batch_id))
    if record is None:
        return None
    try:
        return _DECODER.decode(zlib.decompress(record))
    except (msgspec.MsgspecError, zlib.error):
        return None


def forget() -> None:
    """Nothing waits."""
    _waiting.clear()


def _call(client: Any, batch: _Waiting) -> Any:
    names = [keys.batch(batch.id), keys.BATCHES, keys.BATCH_BYTES]
    return client.register_script(_SCRIPT)(keys=names, args=[batch.record, KEPT_SECONDS, MOST_BYTES])


def _along() -> deque[_Waiting]:
    with _lock:
        return deque(_waiting.popleft() for _ in range(min(ALONG, len(_waiting))))


def _record(batch: Batch, sender: Sender) -> bytes:
    kept = Kept(batch.id, sender.tenant, batch.durability, batch.counts, [_item(shown) for shown in batch.items])
    # Ids do not get smaller; what refusals say does.
    return zlib.compress(msgspec.msgpack.encode(kept), 1 if batch.counts["rejected"] else 0)


def _item(shown: dict[str, Any]) -> Item:
    error = shown.get("error")
    if error is None:
        return Item(shown["status"], bytes.fromhex(shown["id"]), shown["duplicate"])
    return Item(
        shown["status"],
        event_id=shown["event_id"],
        code=error["code"],
        detail=error["detail"][:DETAIL_LENGTH],
        retryable=shown["retryable"],
    )
