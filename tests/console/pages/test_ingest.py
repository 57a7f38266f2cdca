"""The page /ingest/: what came in, the keys, and adding a source, with and without scripts."""

import html
import re
from collections.abc import Callable, Iterator

import pytest
import redis
from django.test import Client

from ingest.api import keyring, keys, mappings, tally
from ingest.api.intake import ENDPOINTS, HOOKS
from ingest.api.tally import Tally
from ingest.models import ApiKey
from queueadmin.console.models import AuditEntry
from queueadmin.console.vendors import VENDORS, Vendor, set_up
from tests.console.conftest import outcome
from tests.console.pages.conftest import HTMX, message_after, text_of

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


@pytest.fixture
def admin(sign_in: SignIn, empty_redis: redis.Redis) -> Client:
    return sign_in("root", "admin")


@pytest.fixture
def door(empty_redis: redis.Redis) -> Iterator[Tally]:
    made = Tally()
    yield made
    made.forget()


def secret_on(page: str) -> str:
    return page.split('<code id="secret" tabindex="0">')[1].split("</code>")[0]


def test_it_shows_sources_reasons_keys_and_the_spool(admin: Client, door: Tally) -> None:
    key = keyring.create("edge key", tenant="acme", max_priority="high", rate=5).key
    door.add(str(key.id), {("edge <b>", "accepted"): 1234, ("edge <b>", "rejected:wrong_type"): 3})
    door.add("local", {("", "shed:queue_full"): 2, ("", "limited:key_rate"): 5})
    door.settle()
    page = text_of(admin.get("/ingest/"))
    shown = ["edge &lt;b&gt;", "1,234", "no source", "edge key", key.prefix, "acme", "spool empty"]
    shown += ["wrong type", "its queue is full", "over its key&#x27;s rate", "7 shed or over a rate so far"]
    for words in shown:
        assert words in page, words
    assert "every 3s" not in page, "it lives by its socket, and asks without one alone"
    part = text_of(admin.get("/ingest/", headers=HTMX))
    assert part.startswith('<div id="door"')
    assert "edge key" not in part, "what somebody may be about to press is not drawn anew"


def test_an_empty_door_says_what_to_do(admin: Client) -> None:
    page = text_of(admin.get("/ingest/"))
    assert "Nothing has come in yet" in page
    assert "No keys yet" in page


def test_while_redis_is_away_it_says_so_and_keys_can_still_be_made(sign_in: SignIn, no_redis: None) -> None:
    admin = sign_in("root", "admin")
    page = text_of(admin.get("/ingest/"))
    assert "Redis does not answer" in page
    made = admin.post("/ingest/add/", {"vendor": "events", "source": "edge"})
    assert secret_on(text_of(made)).startswith("qa_")


def test_a_source_is_added_with_a_key_of_its_own_that_is_shown_once(admin: Client) -> None:
    made = admin.post("/ingest/add/", {"vendor": "events", "source": "edge"})
    page, row = text_of(made), ApiKey.objects.get()
    secret = secret_on(page)
    assert (row.name, row.source, row.scopes) == ("edge", "edge", "ingest")
    assert row.digest == keys.digest(secret)
    assert made["Cache-Control"].count("no-store") == 1
    assert f"Authorization: Bearer {secret}" in page.replace("&#x27;", "'")
    assert "http://localhost/api/v1/events" in page
    assert (outcome().actor, outcome().action, outcome().target) == ("root", "create_key", "edge")
    assert secret not in str(list(AuditEntry.objects.values_list()))
    assert secret not in text_of(admin.get("/ingest/"))
    again = admin.post("/ingest/add/", {"vendor": "events", "source": "edge"})
    assert again.status_code == 422
    assert "There is a key named &#x27;edge&#x27; already" in text_of(again)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.id)
def test_each_vendor_is_told_its_url_and_what_to_do_there(admin: Client, vendor: Vendor) -> None:
    page = html.unescape(
        text_of(admin.post("/ingest/add/", {"vendor": vendor.id, "source": "" if vendor.section else "x"}))
    )
    assert f"http://localhost{vendor.path}" in page
    row = ApiKey.objects.get()
    assert (row.name, row.source) == ((vendor.id,) * 2 if vendor.section else ("x", "x"))
    shown = set_up(vendor, "http://localhost", "qa_secret")
    assert shown.paragraphs or shown.snippets
    said = str(shown)
    assert "127.0.0.1" not in said
    assert not re.search(r"\bKEY\b", said)


def test_every_hook_can_be_chosen() -> None:
    paths = {vendor.path for vendor in VENDORS}
    assert {*HOOKS, *ENDPOINTS} - {"/api/alerts/event", "/api/tasks", "/api/messages"} == paths


def test_a_program_of_ones_own_needs_a_name(admin: Client) -> None:
    refused = admin.post("/ingest/add/", {"vendor": "events", "source": ""})
    assert (refused.status_code, ApiKey.objects.count()) == (422, 0)
    assert "Give the source a name" in text_of(refused)


def test_the_generic_hook_s_fields_are_said_on_a_page(sign_in: SignIn, empty_redis: redis.Redis) -> None:
    """Issue 4, point 1: a field mapping that can be edited on the page."""
    operator = sign_in("ada", "operator")
    said = {"source": "NAS", "key": "", "fields_text": "title = event.what\n\nlabels.host = host.name\n"}
    assert operator.post("/ingest/fields/", said).status_code == 302
    assert mappings.current().fields_of("nas", None) == {"title": "event.what", "labels.host": "host.name"}
    assert (outcome().actor, outcome().action, outcome().target) == ("ada", "map_fields", "source NAS")
    page = text_of(operator.get("/ingest/"))
    assert "event.what" in page
    form = text_of(operator.get("/ingest/fields/?source=nas"))
    assert "labels.host = host.name\ntitle = event.what" in form
    for text, sentence in (
        ("title", "Line 1 must be a field"),
        ("title = a\ntitle = b", "Line 2: title stands twice"),
        ("colour = a", "A field is one of"),
        ("title = a..b", "needs a path"),
    ):
        refused = operator.post("/ingest/fields/", {"source": "nas", "fields_text": text})
        assert (refused.status_code, sentence in text_of(refused)) == (422, True), text
    assert (
        operator.post("/ingest/fields/", {"source": "nas", "key": "7", "fields_text": "title = a"}).status_code == 422
    )
    assert operator.post("/ingest/fields/unmap/", {"source": "nas"}).status_code == 302
    assert mappings.current().fields_of("nas", None) == {}


def test_the_wait_for_the_first_event_turns_by_itself(admin: Client, door: Tally) -> None:
    admin.post("/ingest/add/", {"vendor": "events", "source": "edge"})
    key = ApiKey.objects.get()
    path = f"/ingest/keys/{key.pk}/waiting/"
    assert "Waiting for the first event" in text_of(admin.get(path))
    assert admin.get(f"{path}?state=waiting", headers=HTMX).status_code == 204
    door.add(str(key.pk), {("edge", "rejected:wrong_type"): 1})
    door.settle()
    refused = text_of(admin.get(f"{path}?state=waiting", headers=HTMX))
    assert "refused: wrong type" in refused
    assert "hx-trigger" in refused
    door.add(str(key.pk), {("edge", "accepted"): 1})
    door.settle()
    arrived = text_of(admin.get(f"{path}?state=refused", headers=HTMX))
    assert "The first event has come" in arrived
    assert "hx-trigger" not in arrived
    assert "noscript" not in arrived


def test_a_key_is_made_with_all_its_bounds(admin: Client) -> None:
    asked = {
        "name": "k",
        "scopes": ["read", "ingest"],
        "source": "s",
        "tenant": "t",
        "max_priority": "medium",
        "rate": "2.5",
        "days": "30",
    }
    secret_on(text_of(admin.post("/ingest/keys/new/", asked)))
    (key,) = keyring.all_keys()
    assert (key.scopes, key.source, key.tenant, key.max_priority, key.rate) == (
        ("ingest", "read"),
        "s",
        "t",
        "medium",
        2.5,
    )
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days in (29, 30)


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"scopes": ["root"]}, {"scopes": []}, {"rate": "fast"}, {"max_priority": "x"}, {"days": "0"}],
)
def test_a_key_that_breaks_a_rule_is_not_made(admin: Client, wrong: dict[str, object]) -> None:
    response = admin.post("/ingest/keys/new/", {"name": "k", "scopes": ["ingest"]} | wrong)
    assert response.status_code == 422
    assert 'role="alert"' in text_of(response)
    assert not ApiKey.objects.exists()


def test_rotating_shows_a_new_secret_once_and_keeps_the_old_one_for_a_while(admin: Client) -> None:
    old = keyring.create("edge")
    path = f"/ingest/keys/{old.key.id}/rotate/"
    assert "Keep the old secret" in text_of(admin.get(path))
    page = text_of(admin.post(path, {"minutes": "60"}))
    row = ApiKey.objects.get()
    assert (row.digest, row.previous_digest) == (keys.digest(secret_on(page)), keys.digest(old.secret))
    assert (outcome().action, outcome().target) == ("rotate_key", "edge")
    assert admin.post(path, {"minutes": "for ever"}).status_code == 422


def test_revoking_asks_first_and_is_audited_with_its_reason(admin: Client) -> None:
    key = keyring.create("edge").key
    path = f"/ingest/keys/{key.id}/revoke/"
    assert "Revoke the key edge?" in text_of(admin.get(path))
    assert not ApiKey.objects.get().revoked_at
    assert "is revoked" in message_after(admin, admin.post(path, {"reason": "leaked"}))
    assert ApiKey.objects.get().revoked_at
    assert (outcome().action, outcome().target, outcome().reason) == ("revoke_key", "edge", "leaked")
    assert "no active key" in message_after(admin, admin.post(path))
    assert admin.get("/ingest/keys/999/revoke/").status_code == 404


@pytest.mark.parametrize("group", ["viewer", "operator"])
def test_only_an_admin_makes_keys(sign_in: SignIn, empty_redis: redis.Redis, group: str) -> None:
    key = keyring.create("edge").key
    other = sign_in("vera", group)
    page = text_of(other.get("/ingest/"))
    assert "edge" in page
    for words in ("Rotate", "Revoke", "New key", "Add a source</a>"):
        assert words not in page
    paths = ["add/", "keys/new/", *(f"keys/{key.id}/{verb}/" for verb in ("rotate", "revoke"))]
    for path in paths:
        assert other.get(f"/ingest/{path}").status_code == 403
        assert (
            other.post(f"/ingest/{path}", {"name": "x", "source": "x", "scopes": "ingest", "minutes": "0"}).status_code
            == 403
        )
    assert not AuditEntry.objects.exists()
    assert len(keyring.all_keys()) == 1


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    for path in ("/ingest/", "/ingest/add/", "/ingest/keys/1/waiting/"):
        assert client.get(path, headers={"host": "localhost"})["Location"] == f"/login/?next={path}"


def test_an_event_through_the_door_shows_on_the_page(admin: Client, empty_redis: redis.Redis) -> None:
    keys.forget()
    secret = secret_on(text_of(admin.post("/ingest/add/", {"vendor": "events", "source": "edge"})))
    sent = Client().post(
        "/api/v1/events", {"title": "First"}, "application/json", headers={"x-api-key": secret, "host": "localhost"}
    )
    assert sent.status_code == 202, sent.content
    tally.settle()
    path = f"/ingest/keys/{ApiKey.objects.get().pk}/waiting/"
    assert "The first event has come" in text_of(admin.get(path))
    assert "edge" in text_of(admin.get("/ingest/", headers=HTMX))
    tally.forget()


def test_a_severity_that_nobody_mapped_is_mapped_with_one_press(admin: Client, sign_in: SignIn, door: Tally) -> None:
    door.add_words({("datadog", "p6"): 12, ("", "weird <b>"): 3})
    door.settle()
    page = text_of(admin.get("/ingest/"))
    assert "15 events, taken as medium" in page
    assert "weird &lt;b&gt;" in page
    viewer = sign_in("vera", "viewer")
    assert "Map p6" not in text_of(viewer.get("/ingest/"))
    wanted = {"source": "datadog", "word": "p6", "priority": "low"}
    assert viewer.post("/ingest/severities/map/", wanted).status_code == 403
    assert "is low from now on" in message_after(admin, admin.post("/ingest/severities/map/", wanted))
    assert "Map p6" not in text_of(admin.get("/ingest/"))
    assert (outcome().actor, outcome().action) == ("root", "map_severity")
    for wrong in ({"priority": "urgent"}, {"word": ""}, {"word": "a\nb"}):
        assert admin.post("/ingest/severities/map/", wanted | wrong, headers=HTMX).status_code == 422
    assert admin.get("/ingest/severities/map/").status_code == 405
    admin.post("/ingest/severities/map/", {"source": "", "word": "weird <b>", "priority": "high"})
    assert "Every severity that came is known" in text_of(admin.get("/ingest/"))
