"""The components: every schema that has a name."""

from queueadmin.console.openapi import hooks, messages, tracking
from queueadmin.console.openapi.alerts import alert_shapes
from queueadmin.console.openapi.audit import audit_shapes
from queueadmin.console.openapi.dead_letters import dead_letter_shapes
from queueadmin.console.openapi.devices import device_shapes
from queueadmin.console.openapi.events import event_shapes
from queueadmin.console.openapi.parts import Schema
from queueadmin.console.openapi.policies import policy_shapes
from queueadmin.console.openapi.read import read_shapes
from queueadmin.console.openapi.receipts import receipt_shapes
from queueadmin.console.openapi.replays import replay_shapes
from queueadmin.console.openapi.saved_views import saved_view_shapes
from queueadmin.console.openapi.schedules import schedule_shapes
from queueadmin.console.openapi.statistics import statistics_shapes
from queueadmin.console.openapi.workers import worker_shapes


def components() -> dict[str, Schema]:
    """In the order in which they are shown."""
    return {
        **event_shapes(),
        **receipt_shapes(),
        **hooks.components(),
        **tracking.components(),
        **messages.components(),
        **read_shapes(),
        **alert_shapes(),
        **device_shapes(),
        **schedule_shapes(),
        **audit_shapes(),
        **dead_letter_shapes(),
        **replay_shapes(),
        **saved_view_shapes(),
        **policy_shapes(),
        **statistics_shapes(),
        **worker_shapes(),
    }
