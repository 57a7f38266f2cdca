"""The audit log: who did what, to how many, why, and what came of it. Nothing of it is ever changed."""

from queueadmin.console.audit.chain import BEGUN, Checked, first_broken, verify
from queueadmin.console.audit.keeping import Keeper
from queueadmin.console.audit.recording import AuditUnavailable, Outcome, audited, last_mover
from queueadmin.console.audit.waiting import drain

__all__ = [
    "BEGUN",
    "AuditUnavailable",
    "Checked",
    "Keeper",
    "Outcome",
    "audited",
    "drain",
    "first_broken",
    "last_mover",
    "verify",
]
