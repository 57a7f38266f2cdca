"""GET /api/v1/audit."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.console.api.conftest import BACKEND, problem_of
from tests.console.audit.test_reading import did

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]


def test_the_log_by_a_filter_page_by_page(admin: Client) -> None:
    for number in range(3):
        did(target=f"queue-{number}", reason="INC-1")
    did("bob", "resume")
    first = admin.get("/api/v1/audit", {"filter": "by:ada", "limit": 2}).json()
    assert [entry["target"] for entry in first["items"]] == ["queue-2", "queue-1"]
    second = admin.get("/api/v1/audit", {"filter": "by:ada", "limit": 2, "cursor": first["next"]}).json()
    assert [entry["target"] for entry in second["items"]] == ["queue-0"]
    assert second["next"] is None
    entry = second["items"][0]
    assert (entry["actor"], entry["action"], entry["reason"], entry["state"]) == ("ada", "pause", "INC-1", "done")
    assert (entry["count"], entry["outcome"]) == (1, "low is paused.")


def test_what_is_wrong_is_named(admin: Client) -> None:
    assert problem_of(admin.get("/api/v1/audit?filter=queue:high"), 422, "invalid_filter")["term"] == "queue:high"
    assert problem_of(admin.get("/api/v1/audit?cursor=x"), 422, "invalid_field")["field"] == "cursor"
    assert problem_of(admin.get("/api/v1/audit?limit=0"), 422, "invalid_field")["field"] == "limit"


def test_x16_a_viewer_s_session_reads_it_and_a_reading_key_does_not(
    make_user: Callable[..., User], with_key: Callable[..., Client], local: Client
) -> None:
    did()
    viewer = Client(REMOTE_ADDR="192.0.2.7")
    viewer.force_login(make_user("eve", "viewer"), BACKEND)
    assert len(viewer.get("/api/v1/audit").json()["items"]) == 1
    problem_of(with_key("read,ingest").get("/api/v1/audit"), 403, "forbidden_scope")
    problem_of(local.get("/api/v1/audit"), 403, "forbidden_scope")
