"""Who may do what: every path of the console and its API, by every method, for every kind of person (issue 7.4).

The table below is checked against the URLs: a new one needs a row, and fails here until it has one.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import redis
from django.contrib.auth.models import Group, User
from django.contrib.auth.models import Permission as Stored
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from queueadmin.console.access.permissions import (
    ACKNOWLEDGE_LOSSES,
    ADD_MARKS,
    CANCEL_JOBS,
    CLEAN_JOBS,
    DISCARD_JOBS,
    DRAIN_WORKERS,
    DUPLICATE_JOBS,
    EDIT_JOBS,
    EMPTY_QUEUES,
    EXPORT_AUDIT,
    HANDLE_ALERTS,
    KILL_WORKERS,
    MANAGE_KEYS,
    MANAGE_MAPPINGS,
    MANAGE_POLICIES,
    MANAGE_SCHEDULES,
    MOVE_JOBS,
    PAUSE_QUEUES,
    PERMISSIONS,
    PURGE_TRASH,
    RECOVER_JOBS,
    RESTART_WORKERS,
    RESTORE_JOBS,
    RETRY_JOBS,
    REVEAL_PAYLOADS,
    RUN_JOBS,
    RUN_REPLAYS,
    RUN_SCHEDULES,
    SEND_TEST_EVENTS,
    TRIAGE_FAILURES,
    VIEW_AUDIT,
    VIEW_CONSOLE,
    VIEW_SETTINGS,
    Permission,
    granted,
)
from queueadmin.console.models import AuditEntry

pytestmark = pytest.mark.django_db

Needs = tuple[Permission, ...]
#: Whoever is signed in, for their own account alone; and everybody.
SIGNED_IN: Final[Needs] = ()
EVERYBODY: Final = None

SEES: Final = {"get": (VIEW_CONSOLE,)}
MANAGES_SCHEDULES: Final = {"get": (MANAGE_SCHEDULES,), "post": (MANAGE_SCHEDULES,)}
MANAGES_KEYS: Final = {"get": (MANAGE_KEYS,), "post": (MANAGE_KEYS,)}

#: A URL's name → method → what it takes.
TABLE: Final[dict[str, dict[str, Needs | None]]] = {
    # Pages.
    "console:overview": SEES,
    "console:live": SEES,
    "console:favicon": {"get": EVERYBODY},
    "console:recover_stalled": {"post": (RECOVER_JOBS,)},
    "console:send_test_event": {"post": (SEND_TEST_EVENTS,)},
    "console:understood": {"post": (ACKNOWLEDGE_LOSSES,)},
    "console:pause_all": {"get": (PAUSE_QUEUES,), "post": (PAUSE_QUEUES,)},
    "console:resume_all": {"post": (PAUSE_QUEUES,)},
    "console:queue": SEES,
    "console:pause": {"get": (PAUSE_QUEUES,), "post": (PAUSE_QUEUES,)},
    "console:resume": {"post": (PAUSE_QUEUES,)},
    "console:empty": {"get": (EMPTY_QUEUES,), "post": (EMPTY_QUEUES,)},
    "console:purge": {"get": (PURGE_TRASH,), "post": (PURGE_TRASH,)},
    "console:dead_letters": SEES,
    "console:retry": {"post": (RETRY_JOBS,)},
    "console:retry_all": {"get": (RETRY_JOBS,), "post": (RETRY_JOBS,)},
    "console:discard": {"post": (DISCARD_JOBS,)},
    "console:undo": {"post": (RESTORE_JOBS,)},
    "console:mark": {"post": (TRIAGE_FAILURES,)},
    "console:failure_file": SEES,
    "console:failure_group": SEES,
    "console:acknowledge_group": {"post": (TRIAGE_FAILURES,)},
    "console:resolve_group": {"post": (TRIAGE_FAILURES,)},
    "console:reopen_group": {"post": (TRIAGE_FAILURES,)},
    "console:note_group": {"post": (TRIAGE_FAILURES,)},
    "console:assign_group": {"post": (TRIAGE_FAILURES,)},
    "console:policies": SEES,
    "console:set_policy": {"post": (MANAGE_POLICIES,)},
    "console:remove_policy": {"post": (MANAGE_POLICIES,)},
    "console:save_view": {"post": (VIEW_CONSOLE,)},
    "console:delete_view": {"post": (VIEW_CONSOLE,)},
    "console:jobs": SEES,
    "console:job_rows": SEES,
    "console:retry_chosen": {"post": (RETRY_JOBS,)},
    "console:run_now_chosen": {"post": (RUN_JOBS,)},
    "console:move_chosen": {"post": (MOVE_JOBS,)},
    "console:restore_chosen": {"post": (RESTORE_JOBS,)},
    "console:cancel_chosen": {"post": (CANCEL_JOBS,)},
    "console:discard_chosen": {"post": (DISCARD_JOBS,)},
    "console:matching": {"get": (VIEW_CONSOLE,), "post": (VIEW_CONSOLE, DISCARD_JOBS)},
    "console:clean_finished": {"get": (CLEAN_JOBS,), "post": (CLEAN_JOBS,)},
    "console:job": SEES,
    "console:job_raw": SEES,
    "console:reveal_job": {"post": (REVEAL_PAYLOADS,)},
    "console:edit_job": {"get": (EDIT_JOBS,), "post": (EDIT_JOBS,)},
    "console:duplicate_job": {"post": (DUPLICATE_JOBS,)},
    "console:move_job": {"post": (MOVE_JOBS,)},
    "console:retry_job": {"post": (RETRY_JOBS,)},
    "console:run_now_job": {"post": (RUN_JOBS,)},
    "console:cancel_job": {"post": (CANCEL_JOBS,)},
    "console:mark_job": {"post": (TRIAGE_FAILURES,)},
    "console:unmark_job": {"post": (TRIAGE_FAILURES,)},
    "console:discard_job": {"post": (DISCARD_JOBS,)},
    "console:restore_job": {"post": (RESTORE_JOBS,)},
    "console:alerts": SEES,
    "console:alert": SEES,
    "console:acknowledge_alert": {"post": (HANDLE_ALERTS,)},
    "console:resolve_alert": {"post": (HANDLE_ALERTS,)},
    "console:devices": SEES,
    "console:replays": SEES,
    "console:new_replay": {"get": (RUN_REPLAYS,), "post": (RUN_REPLAYS, DISCARD_JOBS)},
    "console:replay": SEES,
    "console:pause_replay": {"post": (RUN_REPLAYS,)},
    "console:resume_replay": {"post": (RUN_REPLAYS,)},
    "console:cancel_replay": {"post": (RUN_REPLAYS,)},
    "console:pace_replay": {"post": (RUN_REPLAYS,)},
    "console:change_replay": {"get": (RUN_REPLAYS,), "post": (RUN_REPLAYS,)},
    "console:schedules": SEES,
    "console:new_schedule": MANAGES_SCHEDULES,
    "console:preview_schedule": SEES,
    "console:schedule": SEES,
    "console:edit_schedule": MANAGES_SCHEDULES,
    "console:delete_schedule": MANAGES_SCHEDULES,
    "console:pause_schedule": {"post": (MANAGE_SCHEDULES,)},
    "console:resume_schedule": {"post": (MANAGE_SCHEDULES,)},
    "console:run_schedule": {"post": (RUN_SCHEDULES,)},
    "console:workers": SEES,
    "console:drain_worker": {"post": (DRAIN_WORKERS,)},
    "console:resume_worker": {"post": (DRAIN_WORKERS,)},
    "console:restart_worker": {"post": (RESTART_WORKERS,)},
    "console:kill_worker": {"get": (KILL_WORKERS,), "post": (KILL_WORKERS,)},
    "console:audit": {"get": (VIEW_AUDIT,)},
    "console:audit_file": {"get": (EXPORT_AUDIT,)},
    "console:ingest": SEES,
    "console:add_source": MANAGES_KEYS,
    "console:map_severity": {"post": (MANAGE_MAPPINGS,)},
    "console:map_fields": {"get": (MANAGE_MAPPINGS,), "post": (MANAGE_MAPPINGS,)},
    "console:unmap_fields": {"post": (MANAGE_MAPPINGS,)},
    "console:new_key": MANAGES_KEYS,
    "console:rotate_key": MANAGES_KEYS,
    "console:revoke_key": MANAGES_KEYS,
    "console:waiting": SEES,
    "console:settings": {"get": (VIEW_SETTINGS,)},
    "console:api_docs": {"get": EVERYBODY},
    "console:login": {"get": EVERYBODY, "post": EVERYBODY},
    "console:account": {"get": SIGNED_IN, "post": SIGNED_IN},
    "console:sign_out_elsewhere": {"post": SIGNED_IN},
    # The API.
    "console-api:health": {"get": EVERYBODY},
    "console-api:healthz": {"get": EVERYBODY},
    "console-api:readyz": {"get": EVERYBODY},
    "console-api:metrics": SEES,
    "console-api:queue-status": SEES,
    "console-api:queue-health": SEES,
    "console-api:recover-stalled": {"post": (RECOVER_JOBS,)},
    "console-api:schema": {"get": EVERYBODY},
    "console-api:queues": SEES,
    "console-api:pause-all": {"post": (PAUSE_QUEUES,)},
    "console-api:resume-all": {"post": (PAUSE_QUEUES,)},
    "console-api:pause": {"post": (PAUSE_QUEUES,)},
    "console-api:resume": {"post": (PAUSE_QUEUES,)},
    "console-api:empty": {"post": (EMPTY_QUEUES,)},
    "console-api:history": SEES,
    "console-api:latencies": SEES,
    "console-api:marks": {"post": (ADD_MARKS,)},
    "console-api:jobs": SEES,
    "console-api:lookup": SEES,
    "console-api:statistics": SEES,
    "console-api:alerts": SEES,
    "console-api:alert": SEES,
    "console-api:alert-acknowledge": {"post": (HANDLE_ALERTS,)},
    "console-api:alert-resolve": {"post": (HANDLE_ALERTS,)},
    "console-api:schedules": {"get": (VIEW_CONSOLE,), "post": (MANAGE_SCHEDULES,)},
    "console-api:schedule": {"get": (VIEW_CONSOLE,), "put": (MANAGE_SCHEDULES,), "delete": (MANAGE_SCHEDULES,)},
    "console-api:schedule-pause": {"post": (MANAGE_SCHEDULES,)},
    "console-api:schedule-resume": {"post": (MANAGE_SCHEDULES,)},
    "console-api:schedule-run-now": {"post": (RUN_SCHEDULES,)},
    "console-api:workers": SEES,
    "console-api:worker-drain": {"post": (DRAIN_WORKERS,)},
    "console-api:worker-resume": {"post": (DRAIN_WORKERS,)},
    "console-api:worker-restart": {"post": (RESTART_WORKERS,)},
    "console-api:worker-kill": {"post": (KILL_WORKERS,)},
    "console-api:dlq-groups": SEES,
    "console-api:dlq-export": SEES,
    "console-api:dlq-views": {"get": (VIEW_CONSOLE,), "post": (VIEW_CONSOLE,)},
    "console-api:dlq-view": {"get": (VIEW_CONSOLE,), "delete": (VIEW_CONSOLE,)},
    "console-api:dlq-policies": {"get": (VIEW_CONSOLE,), "post": (MANAGE_POLICIES,)},
    "console-api:dlq-policy": {"get": (VIEW_CONSOLE,), "delete": (MANAGE_POLICIES,)},
    "console-api:dlq-retry": {"post": (RUN_REPLAYS, RETRY_JOBS)},
    "console-api:dlq-discard": {"post": (RUN_REPLAYS, DISCARD_JOBS)},
    "console-api:dlq-restore": {"post": (RUN_REPLAYS, RESTORE_JOBS)},
    "console-api:dlq-purge": {"post": (PURGE_TRASH,)},
    "console-api:replay": SEES,
    "console-api:replay-pause": {"post": (RUN_REPLAYS,)},
    "console-api:replay-resume": {"post": (RUN_REPLAYS,)},
    "console-api:replay-cancel": {"post": (RUN_REPLAYS,)},
    "console-api:replay-tune": {"post": (RUN_REPLAYS,)},
    "console-api:audit": {"get": (VIEW_AUDIT,)},
    "console-api:audit-undo": {"post": (RESTORE_JOBS,)},
    "console-api:devices": SEES,
    "console-api:batch": SEES,
    "console-api:job": SEES,
    "console-api:job-retry": {"post": (RETRY_JOBS,)},
    "console-api:job-run-now": {"post": (RUN_JOBS,)},
    "console-api:job-cancel": {"post": (CANCEL_JOBS,)},
    "console-api:job-discard": {"post": (DISCARD_JOBS,)},
    "console-api:job-restore": {"post": (RESTORE_JOBS,)},
    "console-api:job-move": {"post": (MOVE_JOBS,)},
    "console-api:job-mark": {"post": (TRIAGE_FAILURES,)},
    "console-api:job-unmark": {"post": (TRIAGE_FAILURES,)},
    "console-api:job-duplicate": {"post": (DUPLICATE_JOBS,)},
    "console-api:job-payload": {"get": (VIEW_CONSOLE,), "put": (EDIT_JOBS,)},
    "console-api:job-payload-reveal": {"post": (REVEAL_PAYLOADS,)},
    # Last: it ends the session.
    "console:logout": {"post": EVERYBODY},
}
#: What is sent where more than the path decides what it takes.
BODIES: Final[dict[str, dict[str, str]]] = {
    "console:matching": {"verb": "discard"},
    "console:new_replay": {
        "kind": "discard", "filter": "", "canary": "10", "ramp": "1,5",
        "stop_new_errors": "1", "step_seconds": "30", "stop_percent": "5",
    },
}  # fmt: skip
ARGUMENTS: Final = {"name": "low", "form": "csv", "pk": "1", "key_id": "1"}
METHODS: Final = ("get", "post", "put", "delete")

#: Says "ok", "refused" with what is missing, "login", or "no" such method, of an answer.
Verdict = tuple[str, str]


def _urls() -> Iterator[tuple[str, str]]:
    """Name and path of each."""
    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLResolver) and resolver.app_name in ("console", "console-api"):
            for entry in resolver.url_patterns:
                assert isinstance(entry, URLPattern)
                path = re.sub(r"<\w+:(\w+)>", lambda part: ARGUMENTS.get(part[1], "x"), str(entry.pattern))
                yield f"{resolver.app_name}:{entry.name}", f"/{path}"


URLS: Final = dict(_urls())


def test_the_table_has_every_url_and_every_permission() -> None:
    assert URLS.keys() == TABLE.keys()
    asked = {each for row in TABLE.values() for needs in row.values() for each in needs or ()}
    assert asked == set(PERMISSIONS)


def _verdict(answer: HttpResponse) -> Verdict:
    if answer.status_code == 302 and answer["Location"].startswith("/login/?next="):
        return "login", ""
    if answer.status_code == 401:
        return "login", ""
    if answer.status_code == 405:
        return "no", ""
    if answer.status_code == 403:
        text = answer.content.decode()
        return "refused", next((each.codename for each in PERMISSIONS if f"{each.name}," in text), "")
    assert answer.status_code < 500 or answer.status_code == 503, answer.content
    return "ok", ""


def _client(user: User | None) -> Client:
    client = Client(headers={"host": "localhost"}, REMOTE_ADDR="192.0.2.7")
    if user:
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def _ask(client: Client, name: str, method: str) -> Verdict:
    content = {} if method == "get" or name in BODIES else {"content_type": "application/json"}
    return _verdict(getattr(client, method)(URLS[name], BODIES.get(name, {}), **content))


def _expected(needs: Needs | None, held: frozenset[str], *, signed_in: bool) -> Verdict:
    if needs is EVERYBODY:
        return "ok", ""
    if not signed_in:
        return "login", ""
    missing = next((each.codename for each in needs if each.codename not in held), None)
    return ("refused", missing) if missing else ("ok", "")


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.mark.parametrize("who", ["anonymous", "viewer", "operator", "admin"])
def test_x16_everybody_is_let_in_or_refused_as_the_table_says(
    who: str, make_user: Callable[..., User], empty_redis: redis.Redis
) -> None:
    user = None if who == "anonymous" else make_user("somebody", who)
    held = granted(user) if user else frozenset()
    client, wrong = _client(user), []
    for name, row in TABLE.items():
        for method in METHODS:
            if method not in row:
                continue
            got, expected = _ask(client, name, method), _expected(row[method], held, signed_in=user is not None)
            if got != expected:
                wrong.append((name, method, got, expected))
    assert wrong == []
    if who in ("anonymous", "viewer"):
        assert not AuditEntry.objects.exists()


def test_what_a_path_has_no_method_for_does_nothing(make_user: Callable[..., User], empty_redis: redis.Redis) -> None:
    """Above all: no GET changes anything."""
    client, wrong = _client(make_user("root", superuser=True)), []
    for name, row in TABLE.items():
        for method in METHODS:
            if method not in row and name not in ("console:favicon", "console:account", "console:login"):
                got = _ask(client, name, method)
                if got != ("no", ""):
                    wrong.append((name, method, got))
    assert wrong == []
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("permission", PERMISSIONS, ids=lambda each: each.codename)
def test_a_group_with_one_permission_may_that_alone_and_one_without_it_all_else(
    permission: Permission, make_user: Callable[..., User], empty_redis: redis.Redis
) -> None:
    cells = [(name, method, needs) for name, row in TABLE.items() for method, needs in row.items()
             if needs and permission in needs]  # fmt: skip
    stored = Stored.objects.filter(content_type__app_label="console")
    alone, without = make_user("alone", "alone"), make_user("without", "without")
    Group.objects.get(name="without").permissions.set(stored.exclude(codename=permission.codename))
    for name, method, needs in cells:
        also = {each.codename for each in needs}
        Group.objects.get(name="alone").permissions.set(stored.filter(codename__in=also))
        assert _ask(_client(alone), name, method) == ("ok", ""), (name, method)
        assert _ask(_client(without), name, method) == ("refused", permission.codename), (name, method)
    (other, *_) = [each for each in PERMISSIONS if each != permission and each != VIEW_CONSOLE]
    Group.objects.get(name="alone").permissions.set(stored.filter(codename=permission.codename))
    name, method = next((name, method) for name, row in TABLE.items() for method, needs in row.items()
                        if needs and other in needs)  # fmt: skip
    assert _ask(_client(alone), name, method) == ("refused", other.codename)
