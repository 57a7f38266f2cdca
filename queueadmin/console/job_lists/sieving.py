"""Reads those jobs alone that may match: most are told by a few fields of their hashes, and by their events' bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import redis

from ingest.queue import keys, payload
from ingest.reading import fields, lists
from ingest.reading.fields import pipelined, text
from ingest.reading.shapes import Job
from queueadmin.console.filters import Filter
from queueadmin.console.filters.sieve import Sieve
from queueadmin.console.job_lists.budget import Budget

#: What plain words are looked for in, beside the event.
_NAMES: Final = (keys.KIND, keys.SOURCE, keys.TENANT, keys.EVENT_ID, keys.ERROR_TYPE, keys.ERROR_MESSAGE)
_FIELDS: Final = ("status", *_NAMES)
_ERROR: Final = ("type", "message")
#: Jobs whose events are read in one question: an event may have a MiB.
_EVENTS: Final = 100


class Sieving:
    """The reader of one page."""

    def __init__(self, chosen: Filter, tenant: str, budget: Budget) -> None:
        self._named = chosen.of_keys("kind", "source", "tenant")
        self._sieve = Sieve(chosen.terms)
        self._tenant, self._budget = tenant, budget
        #: Ids of jobs that are there for whoever asks, and cannot match.
        self.ruled_out: set[str] = set()

    def read(self, client: redis.Redis, ids: Sequence[str]) -> list[Job | None]:
        """In their order; None: gone, or ruled out. Raises redis.RedisError."""
        if not self._sieve and not self._named.terms:
            return lists.read(client, ids)
        passed = [job_id for job_id, is_met in zip(ids, self._asked(client, ids), strict=True) if is_met]
        found = dict(zip(passed, lists.read(client, passed), strict=True))
        return [found.get(job_id) for job_id in ids]

    def passes(self, found: Mapping[str, Any], raw: bytes) -> bool:
        """Whether a job of this record may match with this event."""
        error = found["error"] or {}
        names = (*(found[name] for name in ("kind", "source", "tenant", "event_id")), *map(error.get, _ERROR))
        return self._sieve.passes(_joined(str(found["id"]), names, raw))

    def _asked(self, client: redis.Redis, ids: Sequence[str]) -> Iterator[bool]:
        wanted = (*_FIELDS, "data") if self._sieve else _FIELDS
        for start in range(0, len(ids), _EVENTS):
            some = ids[start : start + _EVENTS]
            hashes = pipelined(client, "hmget", [keys.job(job_id) for job_id in some], wanted)
            for job_id, values in zip(some, hashes, strict=True):
                found: dict[str, Any] = dict(zip(wanted, values, strict=True))
                may_match = found["status"] is not None and self._may_match(job_id, found)
                if not may_match and self._is_there(found):
                    self.ruled_out.add(job_id)
                yield may_match

    def _is_there(self, found: dict[str, Any]) -> bool:
        return found["status"] is not None and self._tenant in ("", text(found[keys.TENANT]))

    def _may_match(self, job_id: str, found: dict[str, Any]) -> bool:
        named = {
            "kind": fields.kind(found[keys.KIND]) or None,
            "source": text(found[keys.SOURCE]) or None,
            "tenant": text(found[keys.TENANT]) or None,
        }
        if self._tenant not in ("", named["tenant"]) or not self._named.matches(named):
            return False
        if not self._sieve:
            return True
        data = found["data"] or b""
        self._budget.bytes += len(data)
        # How a stock worker's job failed stands elsewhere.
        if text(found["status"]) == "failed" and not found[keys.ERROR_TYPE]:
            return True
        try:
            raw = payload.inflated(data)
        except payload.Unreadable:
            raw = b""
        return self._sieve.passes(_joined(job_id, map(text, (found[name] for name in _NAMES)), raw))


def _joined(job_id: str, names: Iterable[str | None], raw: bytes) -> str:
    return "\n".join([job_id, *(name or "" for name in names), raw.decode(errors="replace")])
