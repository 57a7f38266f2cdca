"""Devices through the API: issue 6 (1)."""

import pytest
from django.test import Client

from tests.console.api.conftest import problem_of
from tests.console.conftest import track

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]


def test_they_are_listed_page_by_page(admin: Client) -> None:
    for name in "abc":
        track(name)
    first = admin.get("/api/v1/devices?limit=2").json()
    second = admin.get("/api/v1/devices", {"limit": 2, "cursor": first["next"]}).json()
    assert [each["device_id"] for each in first["items"] + second["items"]] == ["a", "b", "c"]
    assert (second["next"], first["items"][0]["points"]) == (None, 1)
    assert [each["device_id"] for each in admin.get("/api/v1/devices?text=B").json()["items"]] == ["b"]


def test_what_is_wrong_is_named(admin: Client) -> None:
    for query, field in (("cursor=x", "cursor"), ("limit=0", "limit"), (f"text={'x' * 256}", "text")):
        assert problem_of(admin.get(f"/api/v1/devices?{query}"), 422, "invalid_field")["field"] == field
