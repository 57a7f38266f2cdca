"""Every operation, by its path and method, in the order in which they are shown."""

from typing import Final

from queueadmin.console.openapi.alerts import alerts
from queueadmin.console.openapi.audit import audit_log
from queueadmin.console.openapi.dead_letters import dead_letters
from queueadmin.console.openapi.devices import devices
from queueadmin.console.openapi.health import about, health
from queueadmin.console.openapi.history import history_and_marks
from queueadmin.console.openapi.hooks import hooks
from queueadmin.console.openapi.jobs import jobs
from queueadmin.console.openapi.messages import messages
from queueadmin.console.openapi.parts import Operations
from queueadmin.console.openapi.policies import policies
from queueadmin.console.openapi.queues import queues
from queueadmin.console.openapi.replays import replays
from queueadmin.console.openapi.saved_views import saved_views
from queueadmin.console.openapi.schedules import schedules
from queueadmin.console.openapi.sending import sending
from queueadmin.console.openapi.statistics import statistics
from queueadmin.console.openapi.tracking import tracking
from queueadmin.console.openapi.trash import trash
from queueadmin.console.openapi.workers import worker_operations

TAGS: Final = {
    "Sending": "Taking events in. A 2xx answer means that they are on disk.",
    "Jobs": "What became of an event, and moving it.",
    "Dead letters": "Failures of one cause together, and many of them moved as one watched operation.",
    "Alerts": "The problems that alerts are about, each in one state.",
    "Devices": "Where devices were last, by their points.",
    "Schedules": "Events that are sent again and again.",
    "Queues": "What waits, pausing and emptying.",
    "Workers": "Who works, and telling them to drain, go on or end.",
    "Audit": "Who did what, and what came of it.",
    "Health": "Is all well?",
    "About": "This description.",
}


def operations() -> Operations:
    """Path → method → operation."""
    return {
        **sending(),
        **hooks(),
        **tracking(),
        **messages(),
        **jobs(),
        **dead_letters(),
        **saved_views(),
        **policies(),
        **replays(),
        **trash(),
        **statistics(),
        **alerts(),
        **devices(),
        **schedules(),
        **queues(),
        **history_and_marks(),
        **worker_operations(),
        **audit_log(),
        **health(),
        **about(),
    }
