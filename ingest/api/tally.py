"""How many events were accepted, seen before and refused, and why: per source, per key and altogether.

Counted in this process and added to Redis at most once a second, by a thread beside the requests. While Redis is
away the counts stay here; with REDIS=false they stay for good. What is kept is bounded: a sender that makes up
sources makes one row more, not a thousand.
"""

import logging
import os
import secrets
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import redis
from django.conf import settings

from ingest.accept import Incoming, Receipt
from ingest.api.mappings import plain_word
from ingest.api.problems import Problem, ProblemError
from ingest.api.schema import Rejected
from ingest.api.sender import Sender
from ingest.api.steps import Steps
from ingest.queue import keys
from ingest.queue.connections import ACCEPTANCE_TIMEOUT

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 1.0
#: Sources that have a row of their own, and characters of their names.
SOURCES: Final = 1_000
NAME_LENGTH: Final = 100
#: Tenants that are told of a source.
TENANTS: Final = 20
#: Where the events of all further sources are counted, and for all further tenants of one.
OTHERS: Final = "(others)"
#: A source that was silent for so long gives its row to a new one, when there are too many.
SILENT_SECONDS: Final = 24 * 3600
#: What came without a key.
LOCAL: Final = "local"
#: A mark outlives any outage that somebody would wait out; after it counts of before it may stand twice.
MARK_SECONDS: Final = 24 * 3600

#: Severities that no table knows, of all sources: the newest are kept. Characters of each.
WORDS: Final = 500
WORD_LENGTH: Final = 100

ACCEPTED: Final = "accepted"
DUPLICATES: Final = "duplicates"
#: Alerts that a vendor left out of a group.
TRUNCATED: Final = "truncated"

#: Outcomes of receipts → fields.
_FIELDS: Final = {
    "accepted": ACCEPTED,
    "duplicate": DUPLICATES,
    "id_reused": "rejected:id_reused",
    "full": "shed:queue_full",
    "unavailable": "rejected:no_durable_store",
    "unknown": "rejected:outcome_unknown",
    "withheld": "rejected:withheld",
}
_HELD_BACK: Final = {
    "rate_limited": "limited:key_rate",
    "shed_redis_memory": "shed:redis_memory",
    "shed_free_disk": "shed:free_disk",
}
#: Refusals of whole requests whose events were counted one by one.
_COUNTED: Final = frozenset({"rate_limited", "no_durable_store", "outcome_unknown"})


@dataclass
class Counts:
    """Fields of `keys.TALLY` → events."""

    total: Counter[str] = field(default_factory=Counter)
    sources: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    keys: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: Unix time when each source was last heard of.
    seen: dict[str, float] = field(default_factory=dict)
    #: Tenants that each source sent for.
    tenants: dict[str, set[str]] = field(default_factory=dict)
    #: The same counts of the last 15 minutes, and how long the answers took.
    steps: Steps = field(default_factory=Steps)
    #: (source, word) → events whose severity no table knows, and Unix time of the last one.
    words: Counter[tuple[str, str]] = field(default_factory=Counter)
    words_seen: dict[tuple[str, str], float] = field(default_factory=dict)


class Tally:
    """The counts of one process, on their way into Redis."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        #: Counts whose way into Redis began, and has not ended well yet.
        self._sent: Counts | None = None
        #: Whether they may be there.
        self._tried = False
        self._number = 0
        self._process = secrets.token_hex(8)
        #: Sources that have a row in Redis, as far as this process knows.
        self._known: set[str] = set()
        self._known_tenants: set[tuple[str, str]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tally")
        self._flushing: Future[None] | None = None
        self._due = False
        self._now = threading.Event()
        self._flushed_at = float("-inf")

    def add(
        self,
        key: str,
        events: Mapping[tuple[str, str], int],
        *,
        tenants: Collection[tuple[str, str]] = (),
        seconds: float | None = None,
    ) -> None:
        """Count events by (source, field), and of what was stored each (source, tenant) and how long that took.

        Never waits for Redis.
        """
        at = time.time()
        with self._lock:
            counts = self._counts
            for (source, what), number in events.items():
                name = self._row(source)
                counts.total[what] += number
                counts.sources[name][what] += number
                counts.keys[key][what] += number
                counts.seen[name] = at
                counts.steps.add(at, key, name, what, number)
            for source, tenant in tenants:
                known = counts.tenants.setdefault(self._row(source), set()) if tenant else set()
                if tenant and len(known) <= TENANTS:
                    known.add(tenant[:NAME_LENGTH])
            if seconds is not None:
                counts.steps.took(at, {self._row(source) for source, _ in tenants}, seconds)
            self._schedule()

    def _row(self, source: str) -> str:
        """The name that a source is counted by."""
        name = source[:NAME_LENGTH]
        is_known = name in self._counts.sources or len(self._counts.sources) < SOURCES
        return name if is_known else OTHERS

    def add_words(self, words: Mapping[tuple[str, str], int]) -> None:
        """Count severities that no table knows by (source, word)."""
        at = time.time()
        with self._lock:
            counts = self._counts
            for (source, word), number in words.items():
                said = source[:NAME_LENGTH], word[:WORD_LENGTH]
                if said in counts.words or len(counts.words) < WORDS:
                    counts.words[said] += number
                    counts.words_seen[said] = at
            self._schedule()

    def here(self) -> Counts:
        """What is counted in this process and not in Redis: with REDIS=false all of it."""
        with self._lock:
            counts = self._counts
            return Counts(
                Counter(counts.total),
                {name: Counter(each) for name, each in counts.sources.items()},
                {name: Counter(each) for name, each in counts.keys.items()},
                dict(counts.seen),
                {name: set(each) for name, each in counts.tenants.items()},
                Steps(counts.steps.counts),
                Counter(counts.words),
                dict(counts.words_seen),
            )

    def settle(self) -> None:
        """Have what is counted written now, and wait for one try of that."""
        self._now.set()
        if (flushing := self._flushing) is not None:
            flushing.result()
        self._now.clear()

    def forget(self) -> None:
        with self._lock:
            self._counts, self._sent = Counts(), None
        self.settle()
        self._known.clear()
        self._known_tenants.clear()

    def _schedule(self) -> None:
        """With the lock held."""
        if self._due or not settings.REDIS:
            return
        try:
            self._flushing = self._thread.submit(self._flush_in_time)
            self._due = True
        except RuntimeError:
            pass  # the process ends

    def _flush_in_time(self) -> None:
        self._now.wait(max(0.0, self._flushed_at + EVERY_SECONDS - time.monotonic()))
        with self._lock:
            self._due = False
            if self._sent is None and (self._counts.total or self._counts.words):
                self._sent, self._counts, self._tried = self._counts, Counts(), False
                self._number += 1
            sent = self._sent
        try:
            if sent is not None:
                self._write(sent)
        except (redis.RedisError, OSError) as error:
            logger.debug("counts of what came in stay here: %s", error)
        else:
            with self._lock:
                self._sent = None
        finally:
            self._flushed_at = time.monotonic()
            with self._lock:
                if self._sent is not None or self._counts.total or self._counts.words:
                    self._schedule()

    def _write(self, sent: Counts) -> None:
        """Raises redis.RedisError or OSError."""
        # Its own: this thread may run while the shared clients are being closed.
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=ACCEPTANCE_TIMEOUT, socket_connect_timeout=ACCEPTANCE_TIMEOUT
        ) as client:
            mark = keys.tally_mark(self._process)
            if self._tried and client.get(mark) == str(self._number).encode():
                return  # they arrived, and only the answer did not
            gone = self._make_room(client, sent)
            pipe = client.pipeline(transaction=True)
            for name in gone:
                pipe.zrem(keys.TALLY_SOURCES, name)
                pipe.delete(keys.tally_source(name), keys.tally_tenants(name))
            for name, tenants in self._new_tenants(client, sent).items():
                pipe.sadd(keys.tally_tenants(name), *tenants)
            sent.steps.write(pipe)
            for place, counter in _places(sent):
                for what, number in counter.items():
                    pipe.hincrby(place, what, number)
            if sent.seen:
                pipe.zadd(keys.TALLY_SOURCES, sent.seen, gt=True)
            for said, number in sent.words.items():
                pipe.hincrby(keys.TALLY_WORD_COUNTS, as_member(said), number)
            if sent.words:
                pipe.zadd(keys.TALLY_WORDS, {as_member(said): at for said, at in sent.words_seen.items()}, gt=True)
            pipe.set(mark, self._number, ex=MARK_SECONDS)
            self._tried = True
            pipe.execute()
            self._known.update(sent.seen)
            self._known_tenants.update((name, tenant) for name, each in sent.tenants.items() for tenant in each)
            if sent.words:
                self._forget_words(client)

    def _new_tenants(self, client: Any, sent: Counts) -> dict[str, set[str]]:
        """Those that Redis may not know, by source; further ones than TENANTS are OTHERS."""
        unknown = {
            name: {tenant for tenant in each if (name, tenant) not in self._known_tenants}
            for name, each in sent.tenants.items()
            if name in sent.sources
        }
        found: dict[str, set[str]] = {}
        for name, new in unknown.items():
            if new:
                known = {tenant.decode(errors="replace") for tenant in client.smembers(keys.tally_tenants(name))}
                room = max(0, TENANTS - len(known - {OTHERS}))
                over = {OTHERS} if len(new - known) > room else set()
                found[name] = {*sorted(new - known)[:room], *over}
        return {name: new for name, new in found.items() if new}

    def _forget_words(self, client: Any) -> None:
        """Those that were silent for longest, when there are too many."""
        if oldest := client.zrange(keys.TALLY_WORDS, 0, -(WORDS + 1)):
            pipe = client.pipeline(transaction=True)
            pipe.zrem(keys.TALLY_WORDS, *oldest)
            pipe.hdel(keys.TALLY_WORD_COUNTS, *oldest)
            pipe.execute()

    def _make_room(self, client: Any, sent: Counts) -> list[str]:
        """The sources to forget for new ones; new ones without a place are counted under OTHERS."""
        if sent.sources.keys() <= self._known:
            return []
        rows = {
            name.decode(errors="replace"): seen
            for name, seen in client.zrange(keys.TALLY_SOURCES, 0, -1, withscores=True)
        }
        self._known = set(rows)
        new = [name for name in sent.sources if name not in rows and name != OTHERS]
        over = max(0, len(rows.keys() - {OTHERS}) + len(new) - SOURCES)
        silent = time.time() - SILENT_SECONDS
        gone = [name for name, seen in rows.items() if seen < silent and name not in sent.sources][:over]
        self._known.difference_update(gone)
        self._known_tenants = {each for each in self._known_tenants if each[0] not in gone}
        homeless = new[max(0, len(new) - over + len(gone)) :]
        for name in homeless:
            sent.sources.setdefault(OTHERS, Counter()).update(sent.sources.pop(name))
            sent.seen[OTHERS] = max(sent.seen.get(OTHERS, 0.0), sent.seen.pop(name))
            sent.tenants.pop(name, None)
        sent.steps.move(frozenset(homeless), OTHERS)
        return gone


def as_member(said: tuple[str, str]) -> bytes:
    """A source and a word of its as Redis has them."""
    return msgspec.json.encode(said)


def _places(counts: Counts) -> Iterator[tuple[str, Counter[str]]]:
    yield keys.TALLY, counts.total
    for name, counter in counts.sources.items():
        yield keys.tally_source(name), counter
    for name, counter in counts.keys.items():
        yield keys.tally_key(name), counter


_tally: Final = Tally()
here: Final = _tally.here
settle: Final = _tally.settle
forget: Final = _tally.forget
# A child has the parent's counts, which are the parent's to write, and none of its threads.
os.register_at_fork(after_in_child=_tally.__init__)  # type: ignore[misc]


def key_of(sender: Sender) -> str:
    return LOCAL if sender.key_id is None else str(sender.key_id)


def read(sender: Sender, items: Sequence[Incoming | Rejected]) -> None:
    """A request's events were read: count what was refused at that, and unknown severities. Before any is shed."""
    refused = Counter((item.source, f"rejected:{item.problem.code}") for item in items if isinstance(item, Rejected))
    if refused:
        _tally.add(key_of(sender), refused)
    words = Counter(
        (item.source, plain_word(item.severity.raw))
        for item in items
        if isinstance(item, Incoming) and item.severity.unknown
    )
    if words:
        _tally.add_words(words)


def truncated(sender: Sender, source: str, alerts: int) -> None:
    """A vendor left so many alerts out of a group."""
    if alerts:
        _tally.add(key_of(sender), {(sender.source or source, TRUNCATED): alerts})


def stored(sender: Sender, receipts: Sequence[Receipt], seconds: float) -> None:
    """What became of those that reached a store, so long after their request had been read."""
    if not receipts:
        return
    became = Counter((receipt.event.source, _FIELDS[receipt.outcome]) for receipt in receipts)
    kept = {(receipt.event.source, receipt.event.tenant) for receipt in receipts if receipt.stored}
    _tally.add(key_of(sender), became, tenants=kept, seconds=seconds if kept else None)


def unstored(sender: Sender, events: Sequence[Incoming], problem: Problem) -> None:
    """No store was there for any of these."""
    _tally.add(key_of(sender), Counter((event.source, f"rejected:{problem.code}") for event in events))


def held_back(sender: Sender, code: str, events: int, *, source: str) -> None:
    """Events that were shed, or over their key's rate."""
    _tally.add(key_of(sender), {(source, _HELD_BACK[code]): events})


@contextmanager
def refusals(sender: Sender) -> Iterator[None]:
    """Count the request that is refused as a whole inside: as one, since nobody knows its events."""
    try:
        yield
    except ProblemError as error:
        if not error.counted and error.problem.code not in _COUNTED:
            _tally.add(key_of(sender), {(sender.source, f"rejected:{error.problem.code}"): 1})
        error.counted = True
        raise


@contextmanager
def all_or_nothing(sender: Sender, events: Sequence[Incoming]) -> Iterator[None]:
    """Count these good events when their request, which wanted all or nothing, gets nothing inside."""
    try:
        yield
    except ProblemError as error:
        why = "strict_too_large" if error.problem.code == "strict_too_large" else "withheld"
        if events:
            _tally.add(key_of(sender), Counter((event.source, f"rejected:{why}") for event in events))
        error.counted = True
        raise
