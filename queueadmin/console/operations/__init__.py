"""Every write of an operator. Each takes its actor, is audited, and says what it really did."""

from queueadmin.console.operations.recovery import RecoverResult, recover_stalled
from queueadmin.console.operations.retries import POISON, RetryAllResult, RetryResult, retry, retry_all
from queueadmin.console.operations.testing import SentEvent, send_test_event

__all__ = [
    "POISON",
    "RecoverResult",
    "RetryAllResult",
    "RetryResult",
    "SentEvent",
    "recover_stalled",
    "retry",
    "retry_all",
    "send_test_event",
]
