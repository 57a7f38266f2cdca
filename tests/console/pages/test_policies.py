"""How long dead letters are kept: page, API, shell, and what the pages of dead letters say (issue 8 part 7)."""

import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from queueadmin.console.models import RetentionPolicy
from tests.console.conftest import outcome
from tests.console.dead_letters.conftest import dlq, refused
from tests.console.pages.conftest import message_after, text_of
from tests.console.policies.conftest import Shelf
from tests.console.policies.conftest import shelf as shelf

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/dead-letters/policies/"


@pytest.fixture
def admin(make_user: Callable[..., User]) -> Client:
    client = Client()
    client.force_login(make_user("root", "admin"))
    return client


def test_what_would_go_is_shown_before_it_is_set(admin: Client, shelf: Shelf) -> None:
    shelf.fail(40, 29.5, 1)
    assert "Nobody set a policy" in text_of(admin.get(URL))
    page = text_of(admin.get(URL, {"keep_days": "30", "keep_count": "", "group": ""}))
    assert '<b class="tn">2</b> dead letters older than 30 days go to the trash' in page
    assert not RetentionPolicy.objects.exists()
    said = message_after(admin, admin.post(f"{URL}set/", {"keep_days": "30", "reason": "disk"}))
    assert "Dead letters are kept for 30 days. From" in said
    page = text_of(admin.get(URL))
    assert "for 30 days" in page
    assert "disk" in page
    admin.post(f"{URL}{RetentionPolicy.objects.get().pk}/remove/")
    assert (outcome().action, outcome().actor) == ("remove_policy", "root")
    assert "Nobody set a policy" in text_of(admin.get(URL))


def test_one_that_cannot_be_is_refused_in_words(admin: Client, shelf: Shelf) -> None:
    answer = admin.get(URL, {"keep_days": "0"})
    assert answer.status_code == 422
    assert "greater than or equal to 1" in text_of(answer)
    assert "Say for how many days" in text_of(admin.get(URL, {"keep_days": "", "group": ""}))
    assert "There is no group x" in text_of(admin.get(URL, {"keep_days": "1", "group": "x"}))
    assert "Say why" in message_after(admin, admin.post(f"{URL}set/", {"keep_days": "30"}))
    assert admin.post(f"{URL}99/remove/").status_code == 404
    assert not RetentionPolicy.objects.exists()


def test_the_pages_say_it_only_where_somebody_set_one(operator: Client, shelf: Shelf) -> None:
    ids = shelf.fail(40, 29.5, 1)
    group = f"/dead-letters/{shelf.group_of(ids[0])}/"
    assert "leave in 24 h" not in text_of(operator.get("/dead-letters/"))
    assert "Kept for" not in text_of(operator.get(group))
    assert "until a person removes it" in text_of(operator.get(f"/jobs/{ids[0]}/"))
    shelf.keep(30, 500)
    assert '<b class="tn">2</b> leave in 24 h' in text_of(operator.get("/dead-letters/"))
    page = text_of(operator.get(group))
    assert "<dt>Kept for</dt><dd>30 days · newest 500</dd>" in page
    assert "leave in 24 h" in page
    page = text_of(operator.get(f"/jobs/{ids[0]}/"))
    assert "<dt>Kept</dt><dd>until <time" in page
    assert "among the newest 500 of its cause" in page
    page = text_of(operator.get(URL))
    assert "Show what would go" not in page
    assert "for 30 days, at most the newest 500 of each cause" in text_of(operator.get("/settings/"))


def test_what_goes_next_by_a_count_is_told_before(admin: Client, shelf: Shelf) -> None:
    ids = shelf.fail(4, 3, 0.5, 0.1)
    group = f"/dead-letters/{shelf.group_of(ids[0])}/"
    policy = shelf.keep(count=4)
    assert (
        'Near what is kept: <b class="tn">4</b> of the newest 4. The oldest goes 24 h after 1 more failed'
        in text_of(admin.get(group))
    )
    assert '<b class="tn">1</b> cause near the count' in text_of(admin.get("/dead-letters/"))
    page = text_of(admin.get(URL))
    assert "24 h after 1 more failed" in page
    assert "ValueError: no such device: 4 of 4" in dlq("policies", "list")
    assert "while among the newest 4 of its cause, and 24 h longer" in text_of(admin.get(f"/jobs/{ids[0]}/"))
    RetentionPolicy.objects.filter(pk=policy.pk).update(keep_count=2)
    page = text_of(admin.get(group))
    assert '<b class="tn">2</b> of these leave in 24 h, to the trash, the first from <time' in page
    page = text_of(admin.get(URL))
    assert '<td data-l="leave in 24 h" class="num">2</td>' in page
    assert '<td data-l="the first" class="nw">from <time' in page
    assert "4 of 2; 2 leave, the first at 2" in dlq("policies", "list")
    told = admin.get(f"/api/v1/dlq/policies/{policy.pk}").json()
    assert (told["leave_in_24h"], told["near"][0]["count"]) == (2, 4)
    assert told["near"][0]["first_leaves_at"] == told["first_leaves_at"]
    shelf.age(ids, 4, 3, 2, 0.1)
    assert "the first within ten minutes" in text_of(admin.get(group))
    assert "leave in 24 h, the first at the next look" in dlq("policies", "list")
    shelf.age(ids, 4, 3, -0.1, -0.2)  # for the job itself says that it failed now
    assert "being beyond the newest 2 of its cause" in text_of(admin.get(f"/jobs/{ids[0]}/"))


def test_by_the_api(admin: Client, shelf: Shelf) -> None:
    ids = shelf.fail(40, 1)
    group = shelf.group_of(ids[0])
    url = "/api/v1/dlq/policies"

    def post(**said: object) -> dict[str, object]:
        made: dict[str, object] = admin.post(url, said, content_type="application/json").json()
        return made

    made = post(group=group, keep_days=30, reason="disk")
    assert (made["group"], made["keep_days"], made["keep_count"], made["leave_in_24h"]) == (group, 30, None, 1)
    assert [each["id"] for each in admin.get(url).json()["items"]] == [made["id"]]
    assert admin.get(f"{url}/{made['id']}").json()["kept"] == "for 30 days"
    for said, code, field in (
        ({"keep_days": 30}, "reason_needed", "reason"),
        ({"keep_days": True, "reason": "x"}, "invalid_field", "keep_days"),
        ({"keep_days": "30", "reason": "x"}, "invalid_field", "keep_days"),
        ({"keep_count": 0, "reason": "x"}, "invalid_field", "keep_count"),
        ({"group": 1, "reason": "x"}, "invalid_field", "group"),
        ({"group": "nobody", "reason": "x"}, "invalid_field", "group"),
    ):
        wrong = post(**said)
        assert (wrong["code"], wrong["field"]) == (code, field), said
    assert admin.delete(f"{url}/{made['id']}").status_code == 200
    assert admin.get(f"{url}/{made['id']}").json()["code"] == "policy_not_found"


def test_on_the_command_line(shelf: Shelf) -> None:
    ids = shelf.fail(40, 1)
    assert "Nobody set a policy" in dlq("policies", "list")
    assert "1 dead letter goes to the trash" in dlq("policies", "set", "--days", "30", "--dry-run")
    assert not RetentionPolicy.objects.exists()
    group = shelf.group_of(ids[0])
    assert "kept for 30 days" in dlq("policies", "set", "--group", group, "--days", "30", "--reason", "disk")
    policy = RetentionPolicy.objects.get()
    assert policy.set_by.startswith("cli:")
    assert "ValueError: no such device: kept for 30 days" in dlq("policies", "list")
    assert json.loads(dlq("policies", "list", "--json"))["items"][0]["leave_in_24h"] == 1
    assert refused("policies", "set", "--days", "30")[1].startswith("Say why: From")
    assert refused("policies", "set", "--reason", "disk")[0] == 2
    assert refused("policies", "remove", "99") == (1, "No policy has the number 99.")
    assert "is removed" in dlq("policies", "remove", str(policy.pk))
