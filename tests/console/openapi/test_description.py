"""The OpenAPI description: all that there is, nothing else, valid, and with examples that work."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.validation import validate_schema

from ingest import schedules
from ingest.api import intake
from ingest.queue.transitions import Transitions
from queueadmin.console import operations as operations_
from queueadmin.console.filters import parse
from queueadmin.console.openapi import schema
from tests.console.api.conftest import with_key  # noqa: F401 - a fixture
from tests.console.conftest import Jobs, report, worker
from tests.console.openapi.conftest import Check, operations

pytestmark = pytest.mark.django_db

Document = dict[str, Any]


def paths(resolver: URLResolver, before: str = "/") -> set[str]:
    found = set()
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            found.add(route.replace("<str:", "{").replace("<path:", "{").replace("<job:", "{").replace(">", "}"))
        elif entry.app_name in (None, "console-api"):
            found |= paths(entry, route)
    return found


def test_every_endpoint_is_described_and_no_other_one(document: Document) -> None:
    assert set(document["paths"]) == paths(get_resolver())
    assert set(intake.ENDPOINTS) <= set(document["paths"])


def test_it_is_openapi_and_each_operation_has_a_name_of_its_own(document: Document) -> None:
    validate_schema(document)
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for _, _, operation in operations(document) for tag in operation["tags"]} == tags


def test_it_is_served_to_everybody(document: Document) -> None:
    answer = Client(headers={"host": "localhost"}, REMOTE_ADDR="192.0.2.7").get("/api/schema/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json() == json.loads(json.dumps(document))


def test_a_new_kind_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest.kinds import KINDS, Kind

    schema.document()
    monkeypatch.setitem(KINDS, "mail", Kind("mail", lambda event: None, lambda events: None))
    kinds = schema.document()["components"]["schemas"]["Event"]["properties"]["kind"]["enum"]
    assert kinds == ["alert", "point", "task", "message", "mail", None]


# --- examples ------------------------------------------------------------------------------------


def test_every_example_is_as_its_schema_says(document: Document, check: Check) -> None:
    count = 0
    for path, _, operation in operations(document):
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (each for one in contents for each in one.get("content", {}).values()):
            for name, shown in content.get("examples", {}).items():
                assert check.faults(content["schema"], shown["value"]) == [], (path, name)
                count += 1
    assert count >= 24


def answer_of(client: Client, method: str, path: str, sent: Any, content_type: str) -> Any:
    raw = sent if isinstance(sent, str) else json.dumps(sent)
    if method == "get":
        return client.get(path)
    return client.generic(method.upper(), path, raw, content_type=content_type)


def test_every_example_of_a_request_is_answered_as_it_says(
    document: Document,
    check: Check,
    jobs: Jobs,
    empty_redis: redis.Redis,
    with_key: Callable[..., Client],  # noqa: F811
) -> None:
    """Each operation once with each of its examples, and where it has none, without a body."""
    client = with_key("ingest,read,admin")
    state = States(jobs, empty_redis)
    for path, method, operation in operations(document):
        contents = operation.get("requestBody", {}).get("content", {"": {}})
        for content_type, content in contents.items():
            if content_type.startswith("multipart/"):  # tests/ingest/api/test_tracking.py sends forms
                continue
            for name, sent in content.get("examples", {"": {"value": ""}}).items():
                at = state.prepare(path, operation["operationId"], client)
                answer = answer_of(client, method, at, sent["value"], content_type)
                wanted = operation["responses"].get(str(answer.status_code))
                assert answer.status_code in (200, 202), (path, name, answer.content)
                if "content" not in wanted:
                    assert answer.content == b""
                    continue
                if not wanted["content"].keys().isdisjoint(("text/plain", "text/csv")):
                    continue
                assert check.faults(wanted["content"]["application/json"]["schema"], answer.json()) == [], (path, name)


class States:
    """Puts a job where an operation takes jobs from, and says where to send it."""

    def __init__(self, jobs: Jobs, client: redis.Redis) -> None:
        self.jobs = jobs
        self.transitions = Transitions(client)
        self.client = client
        self.heard = client.pubsub()

    def prepare(self, path: str, operation_id: str, client: Client) -> str:
        if operation_id in ("getBatch", "lookupJob", "getJobs"):
            batch = client.post("/api/v1/events", '[{"id":"a","source":"s"},{}]', content_type="application/json")
            return {
                "getBatch": f"/api/v1/batches/{batch.json()['batch_id']}",
                "lookupJob": f"{path}?id=a&source=s",
                "getJobs": f"{path}?ids={self.jobs.enqueue()[0]},{'0' * 32}",
            }[operation_id]
        if "{alert_id}" in path:
            report("a" * 32, labels={"host": "db-1"})
            return path.replace("{alert_id}", "a" * 32)
        if path.startswith("/api/v1/schedules"):
            schedules.delete("nightly-report")
            if "{schedule}" in path:
                schedules.create("nightly-report", kind="alert", body="{}", cron="0 * * * *")
            return path.replace("{schedule}", "nightly-report")
        if "{worker}" in path:
            told = {"order": "drain"} if operation_id == "resumeWorker" else {}
            worker(self.client, "w", held=0, supervisor="systemd", **told)
            self.heard.subscribe("rq:pubsub:w")
            return path.replace("{worker}", "w")
        if path.startswith(("/tracking/", "/scoring/")):
            return f"{path}?device_id=glider-7"
        if "{view}" in path:
            saved = operations_.save_view("mine", parse("queue:low"), shared=True, actor="ada")
            return path.replace("{view}", str(saved.view.pk))
        if "{policy}" in path:
            kept = operations_.set_policy(keep_days=30, actor="ada", reason="disk")
            return path.replace("{policy}", str(kept.policy.pk))
        if path.startswith("/api/v1/dlq/"):
            dead = self.jobs.fail()
            if operation_id == "restoreDeadLetters":
                self.transitions.discard("high", dead)
            return path
        if "{operation}" in path:
            return path.replace("{operation}", operations_.discard(self.jobs.fail(), actor="ada").operation)
        if "{replay}" in path:
            self.jobs.fail()
            begun = operations_.start_replay(parse(""), actor="ada", reason="fixed").replay
            if operation_id == "resumeReplay":
                operations_.pause_replay(begun.pk, actor="ada")
            return path.replace("{replay}", str(begun.pk))
        if "{job_id}" not in path:
            return path.replace("{name}", "high").replace("{vendor}", "alertmanager")
        match operation_id:
            case "retryJob" | "markJob":
                (job_id,) = self.jobs.fail(queue="low")
            case "unmarkJob":
                (job_id,) = self.jobs.fail(queue="low")
                self.transitions.mark("low", [job_id], permanent=True)
            case "restoreJob":
                (job_id,) = self.jobs.enqueue()
                self.transitions.discard("high", [job_id])
            case "runJobNow":
                later = {"title": "later", "delay_seconds": 60}
                job_id = client.post("/api/v1/events", later, content_type="application/json").json()["id"]
            case _:
                (job_id,) = self.jobs.enqueue()
        return path.replace("{job_id}", job_id)


def test_what_is_refused_is_answered_as_it_says(document: Document, check: Check) -> None:
    """A key is missing, nothing is there: every operation answers a problem that is described."""
    client = Client(headers={"host": "localhost"}, REMOTE_ADDR="192.0.2.7")
    for path, method, operation in operations(document):
        at = path.replace("{vendor}", "alertmanager").replace("{", "").replace("}", "")
        answer = answer_of(client, method, at, "{}", "application/json")
        wanted = operation["responses"][str(answer.status_code)]
        if operation["security"]:
            assert answer.status_code == 401, path
            problem = wanted["content"]["application/problem+json"]["schema"]
            assert check.faults(problem, answer.json()) == []
