"""What the database said about keys, kept so that few requests ask it and none waits long for it.

A key in use is asked about again before its answer is too old, beside the requests. One thread asks for the event
loop, with a connection of its own and for all keys that wait together: a flood of wrong keys costs a few queries,
and has neither the pages nor the other senders wait. Wrong keys are remembered apart from right ones, so they push
none of these out.
"""

import asyncio
import hashlib
import math
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.models import Q

from ingest.api import key_use
from ingest.api.problems import Problem, ProblemError
from ingest.api.sender import Sender
from ingest.models import ApiKey
from ingest.priorities import Priority

#: A revoked key stops working within this many seconds.
FRESH_SECONDS: Final = 5.0
#: From this age on an answer is renewed beside the requests.
RENEW_SECONDS: Final = 2.0
#: While the database cannot be asked, and so nobody can revoke a key either, the last answer holds this long.
STALE_SECONDS: Final = 600.0
#: How long a request waits for the database: with an answer to fall back on, and without.
WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 5.0
#: Wrong keys remembered: about 1.5 MB.
_WRONG_KEPT: Final = 10_000
#: Keys in one query.
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Known:
    """The answer about one secret. `sender` is None for a wrong one."""

    sender: Sender | None
    asked_at: float
    #: The Unix time until which the secret holds.
    until: float = math.inf

    @property
    def age(self) -> float:
        return time.monotonic() - self.asked_at

    def is_good(self) -> bool:
        return self.sender is not None and time.time() < self.until


_right: dict[str, Known] = {}
_wrong: dict[str, Known] = {}


def digest(key: str) -> str:
    """What is kept of a key: SHA-256 in hex. With 256 random bits a slow hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def find(key: str) -> Sender | None:
    """Whose key it is; None: nobody's. Raises ProblemError 503 when the database is away and said nothing before."""
    hashed = digest(key)
    known = _kept(hashed)
    if known is None or (known.age >= FRESH_SECONDS and not _asking.in_trouble()):
        try:
            answers, used = look_up([hashed])
            known = answers[hashed]
            if used:
                key_use.write(used)
        except (DatabaseError, InterfaceError):
            _asking.note_trouble()
            known = _stale(known)
    elif known.age >= FRESH_SECONDS:
        known = _stale(known)
    return known.sender if known.is_good() else None


async def find_async(key: str) -> Sender | None:
    """The same on an event loop, which waits for the database only for a key that it has not heard of lately."""
    hashed = digest(key)
    known = _kept(hashed)
    if known is None or known.age >= FRESH_SECONDS:
        answer = _asking.ask(hashed)
        try:
            if known is not None and _asking.in_trouble():
                known = _stale(known)
            else:
                seconds = LONGEST_WAIT_SECONDS if known is None else WAIT_SECONDS
                # Shielded: others may wait for the same answer when this request is gone.
                known = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(answer)), seconds)
        except (DatabaseError, InterfaceError, TimeoutError):
            _asking.note_trouble()
            known = _stale(known)
    elif known.sender is not None and known.age >= RENEW_SECONDS:
        _asking.ask(hashed)
    return known.sender if known.is_good() else None


def look_up(hashed: Collection[str]) -> tuple[dict[str, Known], list[int]]:
    """Ask the database about these digests, and keep the answers; also the keys whose use is to be written.

    Raises DatabaseError or InterfaceError.
    """
    asked_at = time.monotonic()
    rows = ApiKey.objects.filter(Q(digest__in=hashed) | Q(previous_digest__in=hashed), revoked_at=None)
    found: dict[str, Known] = {}
    used = []
    for row in rows:
        sender = _sender(row)
        expires = row.expires_at.timestamp() if row.expires_at else math.inf
        of_row = {row.digest: Known(sender, asked_at, expires)}
        if row.previous_digest and row.previous_until:
            of_row[row.previous_digest] = Known(sender, asked_at, min(expires, row.previous_until.timestamp()))
        found |= of_row
        if key_use.is_due(row) and any(each in hashed and known.is_good() for each, known in of_row.items()):
            used.append(row.pk)
    answers = {each: found.get(each) or Known(None, asked_at) for each in hashed}
    _keep(answers)
    return answers, used


class _Asking:
    """One thread that asks the database for the event loop, about all keys that wait in one query."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys")
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[Known]] = {}
        self._runs = False
        self._trouble_at = -math.inf

    def ask(self, hashed: str) -> "Future[Known]":
        with self._lock:
            if (answer := self._waiting.get(hashed)) is None:
                answer = self._waiting[hashed] = Future()
            if not self._runs:
                self._runs = True
                self._thread.submit(self._run)
        return answer

    def in_trouble(self) -> bool:
        """Whether the database failed to answer a moment ago: who has an old answer does not wait for it again."""
        return time.monotonic() - self._trouble_at < RENEW_SECONDS

    def note_trouble(self) -> None:
        self._trouble_at = time.monotonic()

    def forget_trouble(self) -> None:
        self._trouble_at = -math.inf

    def _run(self) -> None:
        close_old_connections()
        while asked := self._next():
            self._answer(asked)
        close_old_connections()

    def _next(self) -> "dict[str, Future[Known]]":
        """The oldest that wait; they stay findable until they are answered."""
        with self._lock:
            asked = dict(islice(self._waiting.items(), _AT_ONCE))
            self._runs = bool(asked)
        return asked

    def _answer(self, asked: "dict[str, Future[Known]]") -> None:
        error: Exception | None = None
        answers: dict[str, Known] = {}
        used: list[int] = []
        try:
            answers, used = look_up(asked)
        except Exception as failed:
            error = failed
            close_old_connections()
        with self._lock:
            for hashed in asked:
                del self._waiting[hashed]
        for hashed, answer in asked.items():
            if error is None:
                answer.set_result(answers[hashed])
            else:
                answer.set_exception(error)
        if used:
            key_use.write_beside(used)


_asking: Final = _Asking()


def forget() -> None:
    """Drop every kept answer, and what is known of the database's trouble."""
    _right.clear()
    _wrong.clear()
    _asking.forget_trouble()


def _kept(hashed: str) -> Known | None:
    return _right.get(hashed) or _wrong.get(hashed)


def _keep(answers: dict[str, Known]) -> None:
    for hashed, known in answers.items():
        if known.sender is not None:
            _wrong.pop(hashed, None)
            _right[hashed] = known
        else:
            _right.pop(hashed, None)
            _wrong.pop(hashed, None)
            _wrong[hashed] = known
    for oldest in list(islice(_wrong, max(0, len(_wrong) - _WRONG_KEPT))):
        _wrong.pop(oldest, None)


def _stale(known: Known | None) -> Known:
    """The last answer, while the database gives no newer one. Raises ProblemError 503 without any."""
    if known is not None and known.age < STALE_SECONDS:
        return known
    raise ProblemError(
        Problem(
            503,
            "keys_unavailable",
            "Keys cannot be checked",
            "The database that knows the keys does not answer.",
            retryable=True,
            headers={"Retry-After": "5"},
        )
    ) from None


def _sender(row: ApiKey) -> Sender:
    return Sender(
        row.name,
        frozenset(row.scopes.split(",")),
        row.pk,
        tenant=row.tenant,
        source=row.source,
        max_priority=Priority(row.max_priority) if row.max_priority else None,
        rate=row.rate or 0,
        burst=row.burst or math.ceil(row.rate or 0),
    )
