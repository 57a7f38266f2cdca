"""The audit log: who did what, to how many, why, and what came of it. Nothing of it is ever changed."""

from queueadmin.console.audit.chain import BEGUN, Checked, first_broken, verify
from queueadmin.console.audit.filters import STATES, VOCABULARY, chosen
from queueadmin.console.audit.keeping import Keeper, LastCheck, last_check
from queueadmin.console.audit.reading import (
    COUNTED,
    Operation,
    Page,
    actions,
    count,
    find,
    newer,
    page,
    shown,
)
from queueadmin.console.audit.recording import AuditUnavailable, Outcome, audited, last_mover, noted, noting
from queueadmin.console.audit.waiting import drain

__all__ = [
    "BEGUN",
    "COUNTED",
    "STATES",
    "VOCABULARY",
    "AuditUnavailable",
    "Checked",
    "Keeper",
    "LastCheck",
    "Operation",
    "Outcome",
    "Page",
    "actions",
    "audited",
    "chosen",
    "count",
    "drain",
    "find",
    "first_broken",
    "last_check",
    "last_mover",
    "newer",
    "noted",
    "noting",
    "page",
    "shown",
    "verify",
]
