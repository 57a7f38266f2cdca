"""The buttons that a job's page has for what can be done with it."""

from dataclasses import dataclass
from typing import Final

from queueadmin.console.access.permissions import (
    CANCEL_JOBS,
    DISCARD_JOBS,
    MOVE_JOBS,
    RESTORE_JOBS,
    RETRY_JOBS,
    RUN_JOBS,
    Permission,
)


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    #: Name of its route.
    route: str
    #: lucide's name.
    icon: str
    hint: str
    permission: Permission
    #: main, danger or plain.
    look: str = ""


#: By the words of `queries.ACTIONS`.
BUTTONS: Final = {
    "retry": Button(
        "Retry", "console:retry_job", "rotate-ccw", "Back into its queue with all its retries", RETRY_JOBS, "main"
    ),
    "run-now": Button("Run now", "console:run_now_job", "play", "Into its queue at once", RUN_JOBS, "main"),
    "restore": Button(
        "Restore", "console:restore_job", "archive-restore", "Back to where it was", RESTORE_JOBS, "main"
    ),
    "cancel": Button("Cancel", "console:cancel_job", "ban", "It will not run; there is no way back", CANCEL_JOBS),
    "discard": Button(
        "Discard", "console:discard_job", "trash-2", "Into the trash, kept for 24 h", DISCARD_JOBS, "danger"
    ),
}
#: The same while it runs.
CANCEL_RUNNING: Final = Button(
    "Cancel",
    "console:cancel_job",
    "ban",
    "Its handler is told, and ended if it goes on for 5 s; no way back",
    CANCEL_JOBS,
    "danger",
)


#: Over a list, in this order, for the rows that are ticked.
BULK: Final = {
    "retry": Button(
        "Retry", "console:retry_chosen", "rotate-ccw", "Into their queues with all their retries", RETRY_JOBS
    ),
    "run-now": Button("Run now", "console:run_now_chosen", "play", "Into their queues at once", RUN_JOBS),
    "restore": Button("Restore", "console:restore_chosen", "archive-restore", "Back to where they were", RESTORE_JOBS),
    "move": Button("Move", "console:move_chosen", "arrow-right", "To the back of another queue", MOVE_JOBS),
    "cancel": Button("Cancel", "console:cancel_chosen", "ban", "They will not run; there is no way back", CANCEL_JOBS),
    "discard": Button(
        "Discard", "console:discard_chosen", "trash-2", "Into the trash, kept for 24 h", DISCARD_JOBS, "danger"
    ),
}
