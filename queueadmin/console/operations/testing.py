"""An event of an operator's own, to see that events pass."""

import json
from dataclasses import dataclass

from ingest.accept import Unavailable, accept
from ingest.api.keys import Sender
from ingest.api.schema import Rejected, read_event
from queueadmin.console.audit import audited


@dataclass(frozen=True, slots=True)
class SentEvent:
    """The test event's id, and the queue it waits in."""

    id: str
    queue: str

    @property
    def sentence(self) -> str:
        return f"Test event {self.id} accepted into {self.queue}."


def send_test_event(*, actor: str) -> SentEvent:
    """Send one harmless low alert through the one door, as a client would.

    Raises ingest.accept.Unavailable when nothing can be stored, AuditUnavailable when the database is away.
    """
    sent = {
        "source": "queueadmin",
        "title": "Test event from the console",
        "severity": "info",
        "labels": {"sent_by": actor},
    }
    with audited(actor=actor, action="send_test_event", target="low", count=1) as outcome:
        event = read_event(json.dumps(sent).encode(), Sender("console", frozenset({"ingest"}), None))
        if isinstance(event, Rejected):
            raise RuntimeError(f"our own test event was refused: {event}")
        receipt = accept([event])[0]
        if not receipt.stored:
            raise Unavailable("Redis went away while the test event was sent.", unknown=receipt.outcome == "unknown")
        sent_event = SentEvent(receipt.id, str(event.severity.mapped))
        outcome.count, outcome.sentence = 1, sent_event.sentence
    return sent_event
