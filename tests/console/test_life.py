"""The life of a job as a line of moments."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.reading.runs import Attempt
from queueadmin.console.life import lasted, life

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


def _job(**fields: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        (
            "source",
            "tenant",
            "enqueued_at",
            "started_at",
            "finished_at",
            "next_attempt_at",
            "error",
            "position",
            "ahead",
            "moved_by",
            "moved_at",
            "trashed_at",
            "trashed_from",
            "waits_for",
        )
    )
    return (
        nothing
        | {"stopping": False, "state": "queued", "queue": "high", "received_at": NOW, "attempts": 0, "crashes": 0}
        | fields
    )


def test_who_asked_for_its_end_while_it_ran_is_told() -> None:
    asked = {"started_at": NOW, "moved_by": "ada", "moved_at": NOW + timedelta(seconds=3)}
    running = life(_job(state="started", stopping=True, **asked))
    assert [(moment.what, moment.detail) for moment in running][-1] == ("Asked to end", "by ada")
    ended = life(_job(state="canceled", finished_at=NOW + timedelta(seconds=5), **asked))
    assert [moment.what for moment in ended][-2:] == ["Asked to end", "Canceled"]


def _words(job: dict[str, Any]) -> list[str]:
    return [moment.what for moment in life(job)]


def test_a_queued_job_tells_its_place() -> None:
    moments = life(_job(source="zabbix", enqueued_at=NOW, position=2, ahead=1200))
    assert [m.what for m in moments] == ["Received", "Queued in high"]
    assert moments[0].detail == "from zabbix"
    assert moments[1].detail == "position 2, 1,200 ahead"
    behind = life(_job(enqueued_at=NOW, position=2, ahead=1, waits_for="abc"))[-1]
    assert behind.detail == "position 2, 1 ahead, waits for abc of its ordering key"


def test_a_dead_letter_ends_with_its_reason() -> None:
    later = NOW + timedelta(seconds=5)
    error = {"type": "ValueError", "message": "no", "reason": "poison", "at": later}
    moments = life(_job(state="failed", enqueued_at=NOW, started_at=NOW, error=error, attempts=3, crashes=3))
    assert [m.what for m in moments][-2:] == ["Failed: ValueError", "Dead letter"]
    assert moments[-2].detail == "3 attempts so far, 3 crashes"
    assert moments[-1].detail == "it crashed its worker three times"


def test_what_lies_ahead_stands_at_the_end() -> None:
    due = NOW + timedelta(seconds=25)
    error = {"type": "ValueError", "message": "no", "reason": "error", "at": NOW}
    assert _words(_job(state="retrying", error=error, next_attempt_at=due))[-1] == "Next attempt"
    assert _words(_job(state="scheduled", next_attempt_at=due))[-1] == "Due"
    assert _words(_job(state="finished", finished_at=due))[-1] == "Finished"


def test_who_put_it_back_discarded_or_canceled_it_is_told() -> None:
    back = {"enqueued_at": NOW, "moved_by": "ada", "moved_at": NOW, "position": 1, "ahead": 0}
    assert life(_job(**back))[-1].detail == "by ada, position 1, 0 ahead"
    assert life(_job(**back | {"moved_at": NOW - timedelta(minutes=1)}))[-1].detail == "position 1, 0 ahead"
    trashed = life(_job(state="trash", trashed_at=NOW, trashed_from="failed", moved_by="ada", moved_at=NOW))[-1]
    assert (trashed.what, trashed.detail) == ("Moved to the trash", "by ada, from the dead letters")
    # It failed into the trash; ada had retried it before.
    before = NOW - timedelta(minutes=1)
    dropped = life(_job(state="trash", trashed_at=NOW, trashed_from="failed", moved_by="ada", moved_at=before))[-1]
    assert dropped.detail == "from the dead letters"
    canceled = life(_job(state="canceled", finished_at=NOW, moved_by="ada", moved_at=NOW))[-1]
    assert (canceled.what, canceled.detail) == ("Canceled", "by ada")


def _attempt(number: int, worker: str, *, retried: bool, begun: int | None = None) -> Attempt:
    ended = NOW + timedelta(seconds=10 * number)
    started = None if begun is None else NOW + timedelta(seconds=begun)
    return Attempt(number, "error", "OSError", "no way", "", worker, started, ended, retried)


def test_every_attempt_that_is_kept_is_told_once_and_in_its_place() -> None:
    error = {"type": "OSError", "reason": "error", "at": NOW + timedelta(seconds=20)}
    job = _job(state="failed", enqueued_at=NOW, started_at=NOW + timedelta(seconds=15), attempts=2, error=error)
    newest_first = [_attempt(2, "b", retried=False, begun=15), _attempt(1, "a", retried=True, begun=5)]
    told = [(moment.what, moment.detail) for moment in life(job, newest_first)]
    assert told == [
        ("Received", ""),
        ("Queued in high", ""),
        ("Claimed by a", "attempt 1"),
        ("Failed: OSError", "ran 5.00 s, then tried again"),
        ("Claimed by b", "attempt 2"),
        ("Failed: OSError", "ran 5.00 s"),
        ("Dead letter", "no attempts left"),
    ]


def test_an_attempt_whose_beginning_is_not_known_is_told_by_its_end() -> None:
    told = life(_job(attempts=1), [_attempt(1, "", retried=True)])
    assert (told[-1].what, told[-1].detail) == ("Failed: OSError", "attempt 1, then tried again")


def test_it_tells_how_long_each_step_took_and_the_whole() -> None:
    job = _job(
        state="failed", error={"type": "OSError", "message": "", "reason": "error", "at": NOW + timedelta(seconds=4)}
    )
    moments = life(job)
    assert moments[0].after is None
    assert all(moment.after is not None and moment.after >= 0 for moment in moments[1:])
    assert lasted(moments) == 4
    assert lasted(life(_job(state="queued"))) is None
    assert lasted([]) is None
