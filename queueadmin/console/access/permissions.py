"""Who may do what: the one table of permissions that pages, API and socket ask, and who has them.

Each is a Django permission, `console.<codename>`, made after each migrate; a new one is given to the groups that have
it by default (`queueadmin.console.access.groups`). What a site changes in its groups afterwards stays.
"""

from dataclasses import dataclass
from typing import Final, Literal

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.contrib.auth.models import Permission as Stored
from django.db.models import Q

from queueadmin.console.words import listed

VIEWER: Final = "viewer"
OPERATOR: Final = "operator"
ADMIN: Final = "admin"
#: Each has by default what those before it have.
GROUPS: Final = (VIEWER, OPERATOR, ADMIN)

AnyUser = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True)
class Permission:
    codename: str
    #: What one may, as the end of a sentence: "may retry dead letters".
    does: str
    #: The first of GROUPS that has it by default.
    since: str
    #: What an API key needs to do the same; one with scope admin may read, too.
    scope: Literal["read", "admin"] = "admin"

    @property
    def name(self) -> str:
        """As Django knows it, and as a refusal names it."""
        return f"console.{self.codename}"

    @property
    def groups(self) -> tuple[str, ...]:
        """Those that have it by default."""
        return GROUPS[GROUPS.index(self.since) :]


VIEW_CONSOLE: Final = Permission(
    "view_console", "see queues, jobs, alerts, devices, schedules, replays, workers, sources and live numbers", VIEWER,
    scope="read",
)  # fmt: skip
VIEW_AUDIT: Final = Permission("view_audit", "read the audit log", VIEWER)
EXPORT_AUDIT: Final = Permission("export_audit", "have the audit log as a file", VIEWER)
VIEW_SETTINGS: Final = Permission("view_settings", "see the settings in force", VIEWER)
RETRY_JOBS: Final = Permission("retry_jobs", "retry dead letters", OPERATOR)
RUN_JOBS: Final = Permission("run_jobs", "run jobs at once that wait for their time", OPERATOR)
DISCARD_JOBS: Final = Permission("discard_jobs", "discard jobs into the trash", OPERATOR)
RESTORE_JOBS: Final = Permission("restore_jobs", "restore jobs from the trash", OPERATOR)
CANCEL_JOBS: Final = Permission("cancel_jobs", "cancel jobs", OPERATOR)
MOVE_JOBS: Final = Permission("move_jobs", "move jobs to another queue", OPERATOR)
EDIT_JOBS: Final = Permission("edit_jobs", "edit what a job carries", OPERATOR)
DUPLICATE_JOBS: Final = Permission("duplicate_jobs", "send a job's event once more", OPERATOR)
CLEAN_JOBS: Final = Permission("clean_jobs", "delete what finished jobs returned", OPERATOR)
RUN_REPLAYS: Final = Permission("run_replays", "begin, pause, resume, change and cancel replays", OPERATOR)
TRIAGE_FAILURES: Final = Permission(
    "triage_failures",
    "acknowledge, resolve, reopen, note and assign causes of failures, and mark dead letters permanent",
    OPERATOR,
)
MANAGE_POLICIES: Final = Permission(
    "manage_policies", "set and remove policies for how long dead letters are kept", ADMIN
)
HANDLE_ALERTS: Final = Permission("handle_alerts", "acknowledge and resolve alerts", OPERATOR)
PAUSE_QUEUES: Final = Permission("pause_queues", "pause and resume queues", OPERATOR)
EMPTY_QUEUES: Final = Permission("empty_queues", "empty queues into the trash", OPERATOR)
PURGE_TRASH: Final = Permission("purge_trash", "delete what is in a queue's trash for good", ADMIN)
RECOVER_JOBS: Final = Permission("recover_jobs", "take back stalled jobs", OPERATOR)
SEND_TEST_EVENTS: Final = Permission("send_test_events", "send test events", OPERATOR)
ACKNOWLEDGE_LOSSES: Final = Permission("acknowledge_losses", "say that a loss of Redis is understood", OPERATOR)
DRAIN_WORKERS: Final = Permission("drain_workers", "drain and resume workers", OPERATOR)
RESTART_WORKERS: Final = Permission("restart_workers", "restart workers", OPERATOR)
KILL_WORKERS: Final = Permission("kill_workers", "kill workers", ADMIN)
MANAGE_SCHEDULES: Final = Permission("manage_schedules", "make, edit, pause, resume and delete schedules", OPERATOR)
RUN_SCHEDULES: Final = Permission("run_schedules", "run schedules at once", OPERATOR)
MANAGE_MAPPINGS: Final = Permission("manage_mappings", "map severities and fields", OPERATOR)
ADD_MARKS: Final = Permission("add_marks", "put marks on the charts", OPERATOR)
REVEAL_PAYLOADS: Final = Permission("reveal_payloads", "see the credentials that a job carries", ADMIN)
MANAGE_KEYS: Final = Permission("manage_keys", "add sources, and make, rotate and revoke keys", ADMIN)

#: Every action of the product, in the order in which people are shown them.
PERMISSIONS: Final = (
    VIEW_CONSOLE, VIEW_AUDIT, EXPORT_AUDIT, VIEW_SETTINGS,
    RETRY_JOBS, RUN_JOBS, DISCARD_JOBS, RESTORE_JOBS, CANCEL_JOBS, MOVE_JOBS, EDIT_JOBS, DUPLICATE_JOBS, CLEAN_JOBS,
    RUN_REPLAYS, TRIAGE_FAILURES, MANAGE_POLICIES, HANDLE_ALERTS,
    PAUSE_QUEUES, EMPTY_QUEUES, PURGE_TRASH, RECOVER_JOBS, SEND_TEST_EVENTS, ACKNOWLEDGE_LOSSES,
    DRAIN_WORKERS, RESTART_WORKERS, KILL_WORKERS,
    MANAGE_SCHEDULES, RUN_SCHEDULES, MANAGE_MAPPINGS, ADD_MARKS,
    REVEAL_PAYLOADS, MANAGE_KEYS,
)  # fmt: skip
#: What a replay of each kind needs beside RUN_REPLAYS: as many jobs at once may nobody move who may not move one.
REPLAYED: Final = {"retry": RETRY_JOBS, "discard": DISCARD_JOBS, "restore": RESTORE_JOBS}
BY_CODENAME: Final = {each.codename: each for each in PERMISSIONS}


def granted(user: AnyUser) -> frozenset[str]:
    """The codenames of all that somebody may; a superuser may all. Somebody in no group may what viewers may."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset(BY_CODENAME)
    held = {name.removeprefix("console.") for name in user.get_all_permissions() if name.startswith("console.")}
    if not user.get_group_permissions() and not user.groups.exists():
        viewers = Stored.objects.filter(group__name=VIEWER, content_type__app_label="console")
        held.update(viewers.values_list("codename", flat=True))
    return frozenset(BY_CODENAME.keys() & held)


def may(user: AnyUser, permission: Permission) -> bool:
    return permission.codename in granted(user)


def refusal(user: AnyUser, permission: Permission) -> str:
    """What somebody is told who lacks it: its name, and who has it."""
    needs = f"{user.get_username()} may not {permission.does}: that needs the permission {permission.name}"
    wanted = Q(permissions__codename=permission.codename, permissions__content_type__app_label="console")
    groups = list(Group.objects.filter(wanted).order_by("name").values_list("name", flat=True))
    if not groups:
        return f"{needs}, which no group has; a superuser may."
    have = f"group {groups[0]} has" if len(groups) == 1 else f"groups {listed(groups)} have"
    return f"{needs}, which the {have}."
