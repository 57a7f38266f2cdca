"""Dead letters by their cause."""

import json

import pytest

from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import dlq, fail

pytestmark = pytest.mark.django_db


def test_groups_are_causes_with_counts_times_queues_and_an_example(jobs: Jobs) -> None:
    for number in range(3):
        fail(jobs, message=f"cannot reach db-{number}.internal:5432", kind="OSError", queue="high")
    last = fail(jobs, message="cannot reach 10.0.0.1:5432", kind="OSError", queue="low")
    fail(jobs, 2)
    shown = json.loads(dlq("groups", "--json"))["items"]
    assert [(group["count"], group["error_type"], group["queues"]) for group in shown] == [
        (4, "OSError", {"low": 1, "high": 3}),
        (2, "ValueError", {"high": 2}),
    ]
    assert shown[0]["message"] == "cannot reach <host>"
    assert shown[0]["first_at"] < shown[0]["last_at"]
    head, first, second = dlq("groups").splitlines()
    assert head.split()[0] == "count"
    assert first.split()[:2] == ["4", shown[0]["id"]]
    assert first.endswith("OSError: cannot reach <host>")
    assert "ValueError: no such device" in second
    found = json.loads(dlq("list", "--json", f"group:{shown[0]['id']} queue:low"))["items"]
    assert [item["id"] for item in found] == last
