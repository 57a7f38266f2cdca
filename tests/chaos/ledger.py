"""Every event that was sent, what it was answered, and what became of it."""

import json
import threading
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos.databases import Database
from tests.chaos.jobs import Jobs, name_of

#: Faults of events that end in the dead letters.
DEADLY: Final = ("permanent", "error", "crash", "segfault", "hang")


@dataclass(slots=True)
class Sent:
    event: dict[str, Any]
    #: Ours, once it is accepted.
    job_id: str = ""

    @property
    def dies(self) -> bool:
        return self.event.get("fault") in DEADLY

    @property
    def has_handler_of_its_own(self) -> bool:
        """Its effect is outside the database, and happens at least once."""
        return "kind" in self.event


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger against what the stores hold."""

    processed: int
    dead_letters: int
    lost: int
    doubled: int
    wrong: list[str]


@dataclass(slots=True)
class Ledger:
    """One source's events, by the ids that their sender gave them, or their `n`. Several threads write."""

    source: str
    sent: dict[str, Sent] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    #: Events that were accepted into the database.
    spooled: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, events: Iterable[dict[str, Any]]) -> None:
        with self._lock:
            self.sent.update((name_of(event.get("id"), json.dumps(event)), Sent(event)) for event in events)

    def accept(self, event_id: str, job_id: str, *, spooled: bool = False) -> None:
        """A 202, or an accepted item of a 207. The id must be the same each time."""
        with self._lock:
            sent = self.sent[event_id]
            if sent.job_id not in ("", job_id):
                self.wrong.append(f"{event_id} was given two ids: {sent.job_id} and {job_id}")
            sent.job_id = job_id
            self.spooled += spooled

    def complain(self, sentence: str) -> None:
        with self._lock:
            self.wrong.append(sentence)

    @property
    def accepted(self) -> int:
        with self._lock:
            return sum(bool(sent.job_id) for sent in self.sent.values())

    def account(self, jobs: Jobs, database: Database, carried_out: Container[str]) -> Account:
        """Compare, when everything has come to its end; `carried_out` holds the events whose effect handler ran."""
        rows = Counter({str(event_id): 0 for event_id in self.sent})
        rows.update(name_of(event_id, body) for event_id, body in database.read(_ROWS, self.source))
        effects = {str(title): int(number) for title, number in database.read(_EFFECTS, self.source)}
        dead = Counter(jobs.dead_letters(self.source))

        lost, doubled, wrong = [], [], list(self.wrong)
        for event_id, sent in self.sent.items():
            times = rows[event_id] + dead[event_id]
            if times > 1:
                doubled.append(event_id)
                wrong.append(f"{event_id} is there {times} times: {rows[event_id]} rows, {dead[event_id]} dead letters")
            elif sent.job_id and times == 0:
                lost.append(event_id)
                wrong.append(
                    f"{event_id} (job {sent.job_id}) was accepted and is nowhere: {jobs.looked_up(sent.job_id)}"
                )
            elif dead[event_id] and not sent.dies:
                lost.append(event_id)
                wrong.append(f"{event_id} is a dead letter and must not be: {jobs.looked_up(sent.job_id)}")
            elif rows[event_id] and sent.dies:
                wrong.append(f"{event_id} was processed and asked to fail")
            elif rows[event_id] and sent.has_handler_of_its_own and event_id not in carried_out:
                lost.append(event_id)
                wrong.append(f"{event_id} is done and its effect never happened")

        expected: Counter[str] = Counter()
        for event_id, number in rows.items():
            if not self.sent[event_id].has_handler_of_its_own:
                expected[self.sent[event_id].event["title"]] += number
        for title in sorted({*(+expected), *effects}):
            there = effects.get(title, 0)
            if there != expected[title]:
                (doubled if there > expected[title] else lost).extend([title] * abs(there - expected[title]))
                wrong.append(f"the problem {title!r} counts {there} occurrences of {expected[title]} events")
        wrong += jobs.unbalanced()
        for kind, held, missing in database.read("SELECT kind, waiting, missing FROM ingest_redisloss"):
            wrong.append(f"a loss of Redis was found that was none: {kind}, {held} waited, {missing} missing")
        return Account(sum(1 for n in rows.values() if n), sum(dead.values()), len(lost), len(doubled), wrong)


_ROWS: Final = """
    SELECT event_id, CASE WHEN event_id IS NULL THEN body END
    FROM ingest_event WHERE source = %s AND processed_at IS NOT NULL
"""
_EFFECTS: Final = "SELECT title, SUM(occurrences) FROM ingest_alert WHERE source = %s GROUP BY title"
