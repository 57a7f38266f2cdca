"""Saying that a loss of Redis is understood."""

from dataclasses import dataclass

from ingest.maintenance import mirror
from queueadmin.console.audit import audited


@dataclass(frozen=True, slots=True)
class LossResult:
    #: Whether it was this operator who said so first.
    noted: bool

    @property
    def sentence(self) -> str:
        return (
            "Noted who has understood it." if self.noted else "Somebody had understood it before; nothing was changed."
        )


def acknowledge_loss(loss_id: int, *, actor: str, reason: str = "") -> LossResult:
    """Take the loss off the pages. Raises AuditUnavailable when the database is away."""
    with audited(actor=actor, action="acknowledge_loss", target=f"loss {loss_id}", reason=reason) as outcome:
        result = LossResult(mirror.acknowledge(loss_id, by=actor))
        outcome.count, outcome.sentence = int(result.noted), result.sentence
    return result
