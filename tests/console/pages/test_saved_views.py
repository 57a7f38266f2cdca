"""Views of the dead letters that people save: their own or for all, from the page, the API and the shell (issue 8)."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from queueadmin.console.models import AuditEntry, SavedView
from queueadmin.console.saved_views import MOST
from tests.console.conftest import Jobs, outcome
from tests.console.dead_letters.conftest import dlq, fail, refused
from tests.console.pages.conftest import message_after, text_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob(make_user: Callable[..., User]) -> Client:
    client = Client()
    client.force_login(make_user("bob", "viewer"))
    return client


def save(client: Client, name: str, **more: str) -> str:
    response = client.post("/saved-views/save/", {"name": name, "filter": "source:zabbix", **more})
    return message_after(client, response)


def test_a_view_is_saved_shown_and_deleted(operator: Client) -> None:
    assert "The view “zabbix today” is saved." in save(operator, " zabbix  today ", span="24h", sort="last")
    address = "/dead-letters/?filter=source%3Azabbix&amp;span=24h&amp;sort=last"
    page = text_of(operator.get("/dead-letters/"))
    assert f'href="{address}"' in page
    assert f'href="{address}" aria-current="page"' in text_of(operator.get(address.replace("&amp;", "&")))
    plain = save(operator, "plain", sort="count")
    assert "is saved" in plain
    assert 'href="/dead-letters/?filter=source%3Azabbix" aria-current="page"' in text_of(
        operator.get("/dead-letters/?filter=source:zabbix")
    )
    SavedView.objects.filter(name="plain").delete()
    view = SavedView.objects.get()
    assert (view.owner, view.shared, view.span, view.sort) == ("ada", False, "24h", "last")
    assert not AuditEntry.objects.exists()
    operator.post(f"/saved-views/{view.pk}/delete/")
    assert not SavedView.objects.exists()


def test_the_same_name_again_replaces_it(operator: Client) -> None:
    save(operator, "mine")
    save(operator, "mine", filter="queue:low")
    assert [view.filter for view in SavedView.objects.all()] == ["queue:low"]


def test_one_s_own_are_nobody_else_s(operator: Client, bob: Client) -> None:
    save(operator, "secret view")
    view = SavedView.objects.get()
    assert "secret view" not in text_of(bob.get("/dead-letters/"))
    assert bob.post(f"/saved-views/{view.pk}/delete/").status_code == 404
    assert bob.get(f"/api/v1/dlq/views/{view.pk}").status_code == 404
    assert "The view “bobs” is saved." in save(bob, "bobs")


def test_those_for_all_need_the_permission_and_are_on_the_record(operator: Client, bob: Client) -> None:
    save(operator, "outage", shared="on")
    assert (outcome().action, outcome().target, outcome().actor) == ("save_view", "outage", "ada")
    assert "outage" in text_of(bob.get("/dead-letters/"))
    view = SavedView.objects.get()
    assert bob.post(f"/saved-views/{view.pk}/delete/").status_code == 403
    assert bob.post("/saved-views/save/", {"name": "x", "shared": "on"}).status_code == 403
    operator.post(f"/saved-views/{view.pk}/delete/")
    assert outcome().action == "delete_view"


def test_what_cannot_be_saved_is_said(operator: Client) -> None:
    assert "needs a name" in save(operator, " ")
    assert "there is no key nokey" in save(operator, "x", filter="nokey:x")
    assert "must be ones that the page has" in save(operator, "x", span="9y")
    SavedView.objects.bulk_create(
        SavedView(owner="ada", name=str(number), created_at="2026-11-28T00:00:00Z") for number in range(MOST)
    )
    assert f"There are {MOST} views of yours" in save(operator, "x")
    assert "is saved" in save(operator, "1")


def test_by_the_api(operator: Client) -> None:
    made = operator.post(
        "/api/v1/dlq/views", {"name": "outage", "filter": "device", "shared": True}, content_type="application/json"
    )
    assert made.status_code == 200
    assert made.json()["links"]["page"] == "/dead-letters/?filter=device"
    assert [view["name"] for view in operator.get("/api/v1/dlq/views").json()["items"]] == ["outage"]
    path = f"/api/v1/dlq/views/{made.json()['id']}"
    assert operator.get(path).json()["owner"] == "ada"
    assert operator.delete(path).status_code == 200
    assert operator.get(path).json()["code"] == "view_not_found"
    wrong = operator.post("/api/v1/dlq/views", {"name": 1}, content_type="application/json").json()
    assert (wrong["code"], wrong["field"]) == ("invalid_field", "name")


def test_on_the_command_line(operator: Client, jobs: Jobs) -> None:
    ids = [*fail(jobs, source="zabbix"), *fail(jobs, source="zabbix", queue="low"), *fail(jobs)]
    save(operator, "outage", shared="on")
    shown = dlq("list", "--view", "outage")
    assert all((job_id in shown) == (job_id != ids[2]) for job_id in ids)
    assert ids[0] not in dlq("list", "--view", "outage", "queue:low")
    assert refused("list", "--view", "mine") == (2, "No view that is for all has the name mine.")
