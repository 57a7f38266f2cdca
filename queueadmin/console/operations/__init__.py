"""Every write of an operator. Each takes its actor, is audited, and says what it really did."""

from queueadmin.console.dead_letters.reading import POISON
from queueadmin.console.operations.alerts import AlertResult, acknowledge_alert, resolve_alert
from queueadmin.console.operations.api_keys import RevokeResult, create_key, revoke_key, rotate_key
from queueadmin.console.operations.failure_groups import (
    GroupResult,
    NoSuchUser,
    acknowledge_group,
    assign_group,
    note_group,
    reopen_group,
    resolve_group,
)
from queueadmin.console.operations.frozen import FrozenResult, discard_frozen, retry_frozen
from queueadmin.console.operations.jobs import cancel, move, run_now
from queueadmin.console.operations.losses import LossResult, acknowledge_loss
from queueadmin.console.operations.mappings import (
    MappingResult,
    map_fields,
    map_severity,
    unmap_fields,
    unmap_severity,
)
from queueadmin.console.operations.marking import MarkResult, mark
from queueadmin.console.operations.marks import add_mark
from queueadmin.console.operations.moving import GONE, UNKNOWN, Elsewhere, MoveResult
from queueadmin.console.operations.payloads import (
    AlreadyMoved,
    ChangeResult,
    CopyResult,
    NotFound,
    change_event,
    duplicate,
    reveal,
)
from queueadmin.console.operations.policies import BadPolicy, PolicyResult, planned, remove_policy, set_policy, warned
from queueadmin.console.operations.queues import MAX_MINUTES, PauseResult, ResumeResult, pause, resume
from queueadmin.console.operations.reasons import REASON_FROM, ReasonNeeded
from queueadmin.console.operations.recovery import RecoverResult, recover_stalled
from queueadmin.console.operations.removals import (
    CleanResult,
    EmptyResult,
    clean_finished,
    discard,
    empty,
    purge,
    restore,
)
from queueadmin.console.operations.replays import (
    NothingMatches,
    ReplayResult,
    cancel_replay,
    pause_replay,
    resume_replay,
    start_replay,
    tune_replay,
)
from queueadmin.console.operations.retries import RetryAllResult, retry, retry_all
from queueadmin.console.operations.saved_views import CannotSave, ViewResult, delete_view, save_view
from queueadmin.console.operations.schedules import (
    RunResult,
    ScheduleResult,
    create_schedule,
    delete_schedule,
    pause_schedule,
    resume_schedule,
    run_schedule,
    update_schedule,
)
from queueadmin.console.operations.testing import SentEvent, send_test_event
from queueadmin.console.operations.trash import MOST_PURGED, PurgeResult, WrongName, purge_trash
from queueadmin.console.operations.undo import UndoResult, undo
from queueadmin.console.operations.workers import (
    CannotDo,
    NoSuchWorker,
    WorkerResult,
    drain_worker,
    kill_worker,
    restart_worker,
    resume_worker,
)

__all__ = [
    "GONE",
    "MAX_MINUTES",
    "MOST_PURGED",
    "POISON",
    "REASON_FROM",
    "UNKNOWN",
    "AlertResult",
    "AlreadyMoved",
    "BadPolicy",
    "CannotDo",
    "CannotSave",
    "ChangeResult",
    "CleanResult",
    "CopyResult",
    "Elsewhere",
    "EmptyResult",
    "FrozenResult",
    "GroupResult",
    "LossResult",
    "MappingResult",
    "MarkResult",
    "MoveResult",
    "NoSuchUser",
    "NoSuchWorker",
    "NotFound",
    "NothingMatches",
    "PauseResult",
    "PolicyResult",
    "PurgeResult",
    "ReasonNeeded",
    "RecoverResult",
    "ReplayResult",
    "ResumeResult",
    "RetryAllResult",
    "RevokeResult",
    "RunResult",
    "ScheduleResult",
    "SentEvent",
    "UndoResult",
    "ViewResult",
    "WorkerResult",
    "WrongName",
    "acknowledge_alert",
    "acknowledge_group",
    "acknowledge_loss",
    "add_mark",
    "assign_group",
    "cancel",
    "cancel_replay",
    "change_event",
    "clean_finished",
    "create_key",
    "create_schedule",
    "delete_schedule",
    "delete_view",
    "discard",
    "discard_frozen",
    "drain_worker",
    "duplicate",
    "empty",
    "kill_worker",
    "map_fields",
    "map_severity",
    "mark",
    "move",
    "note_group",
    "pause",
    "pause_replay",
    "pause_schedule",
    "planned",
    "purge",
    "purge_trash",
    "recover_stalled",
    "remove_policy",
    "reopen_group",
    "resolve_alert",
    "resolve_group",
    "restart_worker",
    "restore",
    "resume",
    "resume_replay",
    "resume_schedule",
    "resume_worker",
    "retry",
    "retry_all",
    "retry_frozen",
    "reveal",
    "revoke_key",
    "rotate_key",
    "run_now",
    "run_schedule",
    "save_view",
    "send_test_event",
    "set_policy",
    "start_replay",
    "tune_replay",
    "undo",
    "unmap_fields",
    "unmap_severity",
    "update_schedule",
    "warned",
]
