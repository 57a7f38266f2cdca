"""Each action in a browser, as viewer, operator and admin: its button is there for whom may press it, and for nobody
else; sent all the same, it is refused with the name of what is missing (issue 7.4, X16).

Every path and method is in tests/console/test_roles.py, without a browser; here are the buttons and what they lead to.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from ingest.queue import keys
from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import NewJob, Transitions, new_id
from queueadmin.console.access import permissions as may
from queueadmin.console.access.permissions import PERMISSIONS, Permission
from tests.browser.conftest import Send, clear
from tests.browser.test_live import _stopped
from tests.instance import ADMIN_PASSWORD, Instance
from tests.waiting import wait_until

pytestmark = pytest.mark.long

ROLES: Final = ("viewer", "operator", "admin")


@dataclass(frozen=True)
class Step:
    """One action: where its button stands, what a press of it leads to, and what is sent where."""

    permission: Permission
    page: str
    #: Of its button or link: the name as a reader of the screen hears it.
    button: str
    #: What is read when it is done.
    says: str
    posts: str
    #: What is chosen or filled in after the first press, each a name and a value; "" as a value presses it.
    then: tuple[tuple[str, str], ...] = ()
    fields: dict[str, str] = field(default_factory=dict)


#: In an order in which none takes away what a later one needs.
STEPS: Final = (
    Step(may.EDIT_JOBS, "/jobs/{dead_d}/", "Edit and retry", "The event was changed in", "/jobs/{dead_d}/edit/",
         (("The event", '{{"title": "edited"}}'), ("Show what changes", ""), ("Retry with", ""))),
    Step(may.DUPLICATE_JOBS, "/jobs/{dead_a}/", "Duplicate", "Sent once more", "/jobs/{dead_a}/duplicate/"),
    Step(may.REVEAL_PAYLOADS, "/jobs/{dead_a}/", "Reveal secrets", "hunter2-secret", "/jobs/{dead_a}/reveal/"),
    Step(may.TRIAGE_FAILURES, "{cause}", "Resolve", "resolved", "{cause}resolve/"),
    Step(may.MANAGE_POLICIES, "/dead-letters/policies/?keep_days=3650", "Show what would go",
         "Dead letters are kept for 3,650 days", "/dead-letters/policies/set/", (("Why", "sold"), ("Set it", ""))),
    Step(may.RETRY_JOBS, "/jobs/{dead_a}/", "Retry$", "put back into the queue", "/jobs/{dead_a}/retry/"),
    Step(may.MOVE_JOBS, "/jobs/{dead_b}/", "Retry there", "put into", "/jobs/{dead_b}/move/",
         fields={"to": "low"}),
    Step(may.DISCARD_JOBS, "/jobs/{dead_c}/", "Discard", "moved to the trash", "/jobs/{dead_c}/discard/"),
    Step(may.RESTORE_JOBS, "/jobs/{trash}/", "Restore", "restored", "/jobs/{trash}/restore/"),
    Step(may.PURGE_TRASH, "/queues/high/", "Delete trash", "deleted for good", "/queues/high/purge/",
         (("Type", "high"), ("Why", "sold"), ("Delete", ""))),
    Step(may.RUN_JOBS, "/jobs/{later_a}/", "Run now", "put into the queue", "/jobs/{later_a}/run-now/"),
    Step(may.CANCEL_JOBS, "/jobs/{later_b}/", "Cancel", "canceled", "/jobs/{later_b}/cancel/"),
    Step(may.CLEAN_JOBS, "/jobs/?filter=state:finished", "Clean", "their events stay", "/finished-jobs/clean/",
         (("Clean", ""),)),
    Step(may.RUN_REPLAYS, "/dead-letters/?filter=source:{source}", "Replay", "Replay", "/replays/new/",
         (("Begin with", ""),)),
    Step(may.HANDLE_ALERTS, "/alerts/{alert}/", "Acknowledge", "acknowledged", "/alerts/{alert}/acknowledge/"),
    Step(may.PAUSE_QUEUES, "/queues/medium/", "Pause", "medium is paused for 15 min", "/queues/medium/pause/",
         (("15 min", ""),)),
    Step(may.EMPTY_QUEUES, "/queues/low/", "Empty", "of low moved to the trash", "/queues/low/empty/",
         (("Empty low", ""),)),
    Step(may.RECOVER_JOBS, "/", "Recover stalled", "stalled", "/recover-stalled/"),
    Step(may.SEND_TEST_EVENTS, "/jobs/?filter=state:spooled,started", "Send a test event", "accepted", "/test-event/"),
    Step(may.ACKNOWLEDGE_LOSSES, "/queues/high/", "Understood", "Noted who has understood it", "/loss/understood/"),
    Step(may.MANAGE_SCHEDULES, "/schedules/{schedule}/", "Pause roles", "is paused",
         "/schedules/{schedule}/pause/"),
    Step(may.RUN_SCHEDULES, "/schedules/{schedule}/", "Run roles", "sent its event", "/schedules/{schedule}/run-now/"),
    Step(may.MANAGE_MAPPINGS, "/ingest/", "Map fields", "roles-map", "/ingest/fields/",
         (("Source", "roles-map"), ("Fields", "title = what"), ("Map", ""))),
    Step(may.MANAGE_KEYS, "/ingest/", "New key", "shown this once", "/ingest/keys/new/",
         (("Name", "roles {mark}"), ("Make the key", ""))),
    Step(may.DRAIN_WORKERS, "/workers/", "Drain ", "claims nothing more", "/workers/x/drain/"),
    Step(may.RESTART_WORKERS, "/workers/", "Restart ", "starts another", "/workers/x/restart/"),
    Step(may.KILL_WORKERS, "/workers/", "Kill ", "was killed", "/workers/x/kill/",
         (("Why", "it hangs"), ("Kill", ""))),
)  # fmt: skip
#: Pages that are a permission themselves, and what only the API has.
NO_BUTTON: Final = (may.VIEW_CONSOLE, may.VIEW_AUDIT, may.EXPORT_AUDIT, may.VIEW_SETTINGS, may.ADD_MARKS)


@dataclass
class World:
    """What one role finds, and what it is: all of it is the test's own, but the workers."""

    instance: Instance
    page: Page
    send: Send
    role: str
    mark: str
    names: dict[str, str] = field(default_factory=dict)

    def make(self) -> None:
        source = f"roles-{self.mark}"
        self.names |= {"mark": self.mark, "source": source}
        made = self.instance.manage("shell", "-v", "0", "-c", _PEOPLE.format(name=source, role=self.role))
        self.names["schedule"] = made.split()[-1]
        secret = {"password": "hunter2-secret"}
        for name in ("dead_a", "dead_b", "dead_c", "dead_d", "trash"):
            self.names[name] = self.send(source=source, severity="high", fault="permanent", payload=secret)
        self.send(source=source, severity="critical")  # it succeeds, and so is an alert
        for name in ("later_a", "later_b"):
            self.names[name] = self.send(source=source, severity="low", delay_seconds=3600)
        with self.instance.redis() as client:
            transitions = Transitions(client)
            dead = [name for name in self.names if name.startswith("dead") or name == "trash"]
            wait_until(lambda: all(client.zscore(keys.failed("high"), self.names[name]) for name in dead),
                       what="the dead letters")  # fmt: skip
            transitions.discard("high", [self.names["trash"]], by="test")
            with _stopped(self.instance, "worker", "maintain"):
                job = NewJob(new_id(), "low", _DATA, "alert", source=source, result_ttl=600)
                transitions.enqueue([job])
                claim = transitions.claim(source, ["low"], claim_id=new_id(), limit=1, lease=60)
                assert claim is not None
                assert transitions.complete("low", claim.id, source, [job.id], results={job.id: 1}) == []
                transitions.pause("low")
            self.send(source=source, severity="low")
        self.names["alert"] = self._seen(f"/alerts/?filter=source:{source}", "main tbody a")
        self.names["cause"] = self._seen(f"/dead-letters/?filter=source:{source}", ".groups a")

    def _seen(self, path: str, link: str) -> str:
        """The address of the first link there, once it is."""

        def is_there() -> bool:
            self.page.goto(path)
            return self.page.locator(link).count() > 0

        wait_until(is_there, what=path)
        address = self.page.locator(link).first.get_attribute("href")
        assert address
        address = address.partition("?")[0]
        return address.removeprefix("/alerts/").strip("/") if address.startswith("/alerts/") else address

    def forget(self) -> None:
        self.instance.manage("shell", "-v", "0", "-c", _GONE.format(name=f"roles-{self.mark}"))
        with self.instance.redis() as client:
            client.delete(keys.PAUSED)
            clear(client, lambda source, message: source == f"roles-{self.mark}")
            wait_until(lambda: self.instance.answers("/readyz") and client.scard(keys.WORKERS) > 0)


_PEOPLE: Final = """
from django.contrib.auth.models import Group, User
from django.utils.timezone import now
from ingest.models import RedisLoss
from ingest import schedules
user = User.objects.create_user("{name}", password="lantern-orbit-42")
user.groups.add(Group.objects.get(name="{role}"))
RedisLoss.objects.all().delete()
RedisLoss.objects.create(kind="empty", detected_at=now(), mirrored_at=now(), waiting=1, scheduled=0, started=0,
                         failed=0, trash=0, missing=1)
print(schedules.create("{name}", kind="alert", body="{{}}", interval_seconds=86400).pk)
"""
_GONE: Final = """
from django.contrib.auth.models import User
from ingest import schedules
from ingest.models import RedisLoss
from queueadmin.console.models import RetentionPolicy
schedules.delete("{name}")
RetentionPolicy.objects.all().delete()
RedisLoss.objects.all().delete()
User.objects.filter(username="{name}").delete()
"""
_DATA: Final = encode(Payload("0" * 32, "alert", datetime.now(UTC), "low", "roles", "", None, b'{"title":"x"}'))


def _button(page: Page, name: str) -> Locator:
    wanted = re.compile(f"^{name}")
    main = page.locator("main")
    return main.get_by_role("button", name=wanted).or_(main.get_by_role("link", name=wanted)).locator("visible=true")


def _press(page: Page, step: Step, names: dict[str, str]) -> None:
    button = _button(page, step.button)
    expect(button.first).to_be_visible()
    button.first.click()
    for name, value in step.then:
        if value:
            page.get_by_label(re.compile(f"^{name}")).locator("visible=true").first.fill(value.format(**names))
        else:
            page.get_by_role("button", name=re.compile(f"^{name}")).locator("visible=true").first.click()
    expect(page.locator("body")).to_contain_text(re.compile(step.says))


@pytest.fixture
def world(request: pytest.FixtureRequest, page: Page, instance: Instance, send: Send) -> Iterator[World]:
    made = World(instance, page, send, request.param, uuid.uuid4().hex[:8])
    try:
        made.make()
        yield made
    finally:
        made.forget()


@pytest.mark.parametrize("world", ROLES, indirect=True)
def test_each_action_is_there_for_whom_may_press_it_and_refused_to_the_others(
    world: World, open_page: Callable[..., Page], complaints: list[str]
) -> None:
    page = open_page(signed_in=False)
    page.goto("/login/")
    page.get_by_label("Name").fill(world.names["source"])
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    for step in STEPS:
        path = step.page.format(**world.names)
        page.goto(path)
        if world.role in step.permission.groups:
            _press(page, step, world.names)
            continue
        expect(page.locator("main")).to_be_visible()
        assert _button(page, step.button).count() == 0, step
        token = next(each["value"] for each in page.context.cookies() if each["name"] == "csrftoken")
        sent = {**step.fields, "csrfmiddlewaretoken": token}
        refused = page.request.post(step.posts.format(**world.names), form=sent)
        assert refused.status == 403, step
        assert step.permission.name in refused.text(), step
    # What was refused of a page is said by the browser, too.
    complaints[:] = [said for said in complaints if "status of 403" not in said]


def test_each_permission_is_walked() -> None:
    assert {step.permission for step in STEPS} | set(NO_BUTTON) == set(PERMISSIONS)
