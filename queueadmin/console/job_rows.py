"""A job of a list as its row shows it: the state, the time that matters in it, and what can be done. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from queueadmin.console.masking import masked_text
from queueadmin.console.queries import actions


@dataclass(frozen=True, slots=True)
class Row:
    #: In the contract's shape.
    job: Mapping[str, Any]
    title: str
    #: What `at` is the time of.
    word: str
    at: datetime | None
    #: What operators can do with it, by the ends of the API's paths.
    verbs: tuple[str, ...]
    #: Its last error's type and message, without credentials.
    error: str


#: By state: the word for the time that matters there, and where the job has it.
_TIMES: Final = {
    "started": ("runs for", "started_at"),
    "queued": ("queued", "enqueued_at"),
    "spooled": ("received", "received_at"),
    "scheduled": ("due", "next_attempt_at"),
    "retrying": ("due", "next_attempt_at"),
    "canceled": ("canceled", "finished_at"),
    "finished": ("finished", "finished_at"),
    "trash": ("discarded", "trashed_at"),
}


def rows(jobs: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> Iterator[Row]:
    for job in jobs:
        error = job["error"]
        word, field = _TIMES.get(job["state"], ("failed", "finished_at"))
        at = error["at"] if job["state"] == "failed" and error and error["at"] else job[field]
        said = ": ".join(text for text in (error["type"], error["message"]) if text) if error else ""
        yield Row(
            job,
            masked_text(titles.get(job["id"], "")),
            word,
            at,
            actions(job["state"], job["kind"], stopping=job["stopping"]),
            masked_text(said),
        )
