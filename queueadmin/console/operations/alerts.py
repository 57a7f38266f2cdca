"""Acknowledging and resolving a problem by hand."""

from dataclasses import dataclass
from typing import Final

from ingest import problems
from ingest.models import Alert, Report
from queueadmin.console.audit import audited

#: Title characters in the audit log.
_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class AlertResult:
    #: As it is now. None: there is no such problem.
    alert: Alert | None
    #: Whether this changed it.
    changed: bool

    @property
    def sentence(self) -> str:
        if self.alert is None:
            return "There is no such alert; nothing was changed."
        title = f"“{str(self.alert)[:_TITLE]}”"
        return f"{title} is {self.alert.state}." if self.changed else f"{title} was {self.alert.state} already."


def acknowledge_alert(identity: str, *, actor: str, reason: str = "", tenant: str = "") -> AlertResult:
    """Somebody sees to it. Raises AuditUnavailable when the database is away."""
    return _say(identity, problems.ACKNOWLEDGE, "acknowledge_alert", actor, reason, tenant)


def resolve_alert(identity: str, *, actor: str, reason: str = "", tenant: str = "") -> AlertResult:
    """It is over; the next trigger opens it anew. Raises AuditUnavailable when the database is away."""
    return _say(identity, problems.RESOLVE, "resolve_alert", actor, reason, tenant)


def _say(identity: str, report: Report.Action, action: str, actor: str, reason: str, tenant: str) -> AlertResult:
    with audited(actor=actor, action=action, target=f"alert {identity}", count=1, reason=reason) as outcome:
        said = problems.say(identity, report, by=actor[:200], tenant=tenant)
        result = AlertResult(*said) if said else AlertResult(None, False)
        outcome.count, outcome.sentence = int(result.changed), result.sentence
    return result
