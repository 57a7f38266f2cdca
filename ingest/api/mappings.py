"""What operators said of senders' words: the priority of a severity, and the fields of the generic hook.

Kept in the database, and read from there at most every few seconds by each process, so that a change counts within 5 s
everywhere; requests do not wait for that. While the database is away what was read last holds.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import close_old_connections, transaction

from ingest.models import ApiKey, FieldMapping, SeverityMapping
from ingest.priorities import PRIORITIES, Priority

logger = logging.getLogger(__name__)

#: A change counts within this many seconds.
FRESH_SECONDS: Final = 5.0
#: From this age on they are read again beside the requests.
RENEW_SECONDS: Final = 2.0
#: How long a request waits for the database, when this process has not read them lately.
WAIT_SECONDS: Final = 1.0
#: Mappings of each sort: what a process holds.
MOST: Final = 5_000

SOURCE_LENGTH: Final = 255
WORD_LENGTH: Final = 100
#: Fields of an event that a mapping may fill; `labels.<name>` as well.
FIELDS: Final = ("title", "severity", "dedup_key", "action", "occurred_at", "source")
PATH_LENGTH: Final = 200
MOST_FIELDS: Final = 50
#: Names with dots between them; a number is a place in an array.
_PATH: Final = re.compile(r"[^.\x00-\x1f\x7f]+(\.[^.\x00-\x1f\x7f]+)*")


class MappingRefused(ValueError):
    """What was asked for breaks a rule; nothing was changed. The sentence is for people."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Mappings:
    """All of them. Those of a key win over those for every key; key 0 is every key."""

    #: (source, word, key) → priority; source and word in small letters.
    words: Mapping[tuple[str, str, int], Priority] = field(default_factory=dict)
    #: (source, key) → field → path in the body.
    fields: Mapping[tuple[str, int], Mapping[str, str]] = field(default_factory=dict)

    def priority(self, word: Any, sources: Collection[str], key_id: int | None) -> Priority | None:
        """What an operator said of a severity of one of these names of its source, the first that is mapped."""
        if not self.words or word is None:
            return None
        plain = plain_word(word)
        for key in (key_id, 0) if key_id else (0,):
            for source in sources:
                if (found := self.words.get((source.casefold(), plain, key))) is not None:
                    return found
        return None

    def fields_of(self, source: str, key_id: int | None) -> Mapping[str, str]:
        """How the generic hook reads a body of this source; empty: by the usual names."""
        for key in (key_id, 0) if key_id else (0,):
            if (found := self.fields.get((source.casefold(), key))) is not None:
                return found
        return {}


NONE: Final = Mappings()


def plain_word(word: Any) -> str:
    """A severity as mappings know it: `P1 `, `p1` and 3, 3.0 are each one word."""
    if isinstance(word, float) and word.is_integer():
        word = int(word)
    return str(word).strip().casefold()


# --- reading --------------------------------------------------------------------------------------


def current() -> Mappings:
    """Raises nothing: without the database those of before hold."""
    if _kept.age >= FRESH_SECONDS and not _kept.in_trouble():
        try:
            _kept.keep(_load())
        except Exception as error:  # whatever it is, events are taken in
            _kept.note_trouble(error)
    return _kept.mappings


async def current_async() -> Mappings:
    """The same on an event loop."""
    age = _kept.age
    if age >= FRESH_SECONDS and not _kept.in_trouble():
        try:
            # Shielded: others may wait for the same answer when this request is gone.
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(_kept.renew())), WAIT_SECONDS)
        except Exception as error:
            _kept.note_trouble(error)
    elif age >= RENEW_SECONDS and not _kept.in_trouble():
        _kept.renew()
    return _kept.mappings


def forget() -> None:
    """Know of none that was read before."""
    _kept.forget()


class _Kept:
    """What was read last, and one thread that reads anew for the event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mappings")
        self._lock = threading.Lock()
        self._reading: Future[None] | None = None
        self.forget()

    @property
    def age(self) -> float:
        return time.monotonic() - self._read_at

    def keep(self, mappings: Mappings) -> None:
        self.mappings, self._read_at, self._trouble_at = mappings, time.monotonic(), float("-inf")

    def renew(self) -> "Future[None]":
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._thread.submit(self._renew)
            return self._reading

    def in_trouble(self) -> bool:
        """Whether the database failed to answer a moment ago: nobody waits for it again."""
        return time.monotonic() - self._trouble_at < RENEW_SECONDS

    def note_trouble(self, error: Exception) -> None:
        if not self.in_trouble():
            logger.info("mappings cannot be read now, those of before hold: %s", error)
        self._trouble_at = time.monotonic()

    def forget(self) -> None:
        self.mappings, self._read_at, self._trouble_at = NONE, float("-inf"), float("-inf")

    def _renew(self) -> None:
        close_old_connections()
        try:
            self.keep(_load())
        finally:
            close_old_connections()


def _load() -> Mappings:
    words = SeverityMapping.objects.order_by("pk").values_list("source", "word", "key_id", "priority")[:MOST]
    fields = FieldMapping.objects.order_by("pk").values_list("source", "key_id", "fields")[:MOST]
    return Mappings(
        {(source, word, key_id or 0): Priority(priority) for source, word, key_id, priority in words},
        {(source, key_id or 0): paths for source, key_id, paths in fields},
    )


_kept: Final = _Kept()


# --- changing: what the console's operations call -------------------------------------------------


def map_word(source: str, word: str, priority: str, *, key_id: int | None = None) -> bool:
    """From now on this word of this source is this urgent; whether that is news. Raises MappingRefused."""
    if priority not in PRIORITIES:
        raise MappingRefused("priority", f"The priority must be one of {', '.join(PRIORITIES)}.")
    named: dict[str, Any] = {"source": _source(source), "word": _word(word), "key": _key(key_id)}
    with transaction.atomic():
        known = SeverityMapping.objects.select_for_update().filter(**named).first()
        if known is not None and known.priority == priority:
            return False
        if known is None and SeverityMapping.objects.count() >= MOST:
            raise MappingRefused("word", f"There are {MOST:,} mappings already.")
        SeverityMapping.objects.update_or_create(**named, defaults={"priority": priority})
    forget()
    return True


def unmap_word(source: str, word: str, *, key_id: int | None = None) -> bool:
    """The tables count again; whether there was a mapping. Raises MappingRefused."""
    gone, _ = SeverityMapping.objects.filter(source=_source(source), word=_word(word), key=_key(key_id)).delete()
    forget()
    return bool(gone)


@dataclass(frozen=True, slots=True)
class FieldsOf:
    """The field mapping of one source, and of one key where it is named."""

    source: str
    key_id: int | None
    #: "": every key.
    key_name: str
    fields: Mapping[str, str]


def all_fields() -> list[FieldsOf]:
    """Every field mapping as the database has it now, by source."""
    rows = FieldMapping.objects.order_by("source", "key_id").values_list("source", "key_id", "key__name", "fields")
    return [FieldsOf(source, key_id, name or "", fields) for source, key_id, name, fields in rows[:MOST]]


def map_fields(source: str, fields: Mapping[str, str], *, key_id: int | None = None) -> bool:
    """From now on the generic hook takes these fields from these paths; whether that is news. Raises MappingRefused."""
    paths = dict(sorted(fields.items()))
    _check_fields(paths)
    named: dict[str, Any] = {"source": _source(source), "key": _key(key_id)}
    with transaction.atomic():
        known = FieldMapping.objects.select_for_update().filter(**named).first()
        if known is not None and known.fields == paths:
            return False
        if known is None and FieldMapping.objects.count() >= MOST:
            raise MappingRefused("fields", f"There are {MOST:,} mappings already.")
        FieldMapping.objects.update_or_create(**named, defaults={"fields": paths})
    forget()
    return True


def unmap_fields(source: str, *, key_id: int | None = None) -> bool:
    """The usual names count again; whether there was a mapping. Raises MappingRefused."""
    gone, _ = FieldMapping.objects.filter(source=_source(source), key=_key(key_id)).delete()
    forget()
    return bool(gone)


def _source(source: str) -> str:
    named = source.strip().casefold()
    if len(named) > SOURCE_LENGTH or not named.isprintable():
        raise MappingRefused("source", f"The source may have {SOURCE_LENGTH} printable characters.")
    return named


def _word(word: str) -> str:
    named = plain_word(word)
    if not 1 <= len(named) <= WORD_LENGTH or not named.isprintable():
        raise MappingRefused("word", f"The severity must have 1 to {WORD_LENGTH} printable characters.")
    return named


def _key(key_id: int | None) -> ApiKey | None:
    if not key_id:
        return None
    if (key := ApiKey.objects.filter(pk=key_id).first()) is None:
        raise MappingRefused("key", "There is no such key.")
    return key


def _check_fields(fields: Mapping[str, str]) -> None:
    if not 1 <= len(fields) <= MOST_FIELDS:
        raise MappingRefused("fields", f"A mapping has 1 to {MOST_FIELDS} fields.")
    for name, path in fields.items():
        label = name.removeprefix("labels.") if name.startswith("labels.") else ""
        if name not in FIELDS and not (label and len(label) <= WORD_LENGTH and label.isprintable()):
            raise MappingRefused("fields", f"A field is one of {', '.join(FIELDS)} or labels.NAME, not {name[:50]!r}.")
        if not isinstance(path, str) or len(path) > PATH_LENGTH or not _PATH.fullmatch(path):
            raise MappingRefused("fields", f"{name} needs a path, names with dots between them, such as event.title.")
