"""E1 to E3, E14 to E16: task types, their options, and the hints and words that a task may bring."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from ingest.kinds import KINDS, Context, Task, each_kind, kind_of, register_named, task, tasks
from ingest.kinds.errors import Invalid, PermanentError
from ingest.priorities import Priority
from ingest.queue.payload import Unreadable
from tests.ingest.conftest import a_payload


@pytest.fixture(autouse=True)
def _no_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TYPES", {})


def review(given: Task, context: Context) -> str:
    return f"{given.task_id} {given.task_type} {given.payload} {given.priority.value}"


async def deploy(given: Task, context: Context) -> int:
    return context.attempt


def test_a_type_is_a_kind_of_its_own_with_the_sources_defaults() -> None:
    task("review")(review)
    kind = tasks.TYPES["review"]
    assert (kind.name, kind.type, kind.label, kind.mode) == ("task", "review", "task:review", "single")
    assert kind.retry_delays == (0.0, 2.0, 4.0)
    assert (kind.timeout, kind.result_ttl, kind.dead_letters, kind.dedup_seconds) == (300, 86_400, True, 604_800)
    assert kind in each_kind()
    assert KINDS["task"] in each_kind()


def test_every_option_of_a_type_is_its_kinds() -> None:
    task("deploy", retries=(5, 60), timeout=900, concurrency=3, dead_letters=False, ttl=0, own_workers=True)(deploy)
    kind = tasks.TYPES["deploy"]
    assert (kind.mode, kind.retry_delays, kind.timeout, kind.concurrency) == ("async", (5.0, 60.0), 900, 3)
    assert (kind.dead_letters, kind.result_ttl, kind.own_workers) == (False, 0, True)
    task("build", isolation="process", retries=0)(review)
    assert (tasks.TYPES["build"].mode, tasks.TYPES["build"].retry_delays) == ("process", ())


@pytest.mark.parametrize(
    "options", [{"name": "Dev"}, {"name": "x" * 33}, {"name": "a:b"}, {"retries": 21}, {"retries": -1}, {"timeout": 0}]
)
def test_what_cannot_be_is_refused_when_it_is_registered(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"name|retries|timeout"):
        task(**{"name": "dev", **options})(review)


def test_two_handlers_cannot_have_one_name_but_one_may_be_registered_again() -> None:
    task("review")(review)
    task("review", timeout=5)(review)
    assert tasks.TYPES["review"].timeout == 5
    with pytest.raises(ValueError, match="another handler of the task type 'review'"):
        task("review")(deploy)


@pytest.mark.parametrize(
    ("said", "priority"),
    [
        ("critical", Priority.CRITICAL),
        ("HIGH", Priority.HIGH),
        ("normal", Priority.MEDIUM),
        ("medium", Priority.MEDIUM),
        ("low", Priority.LOW),
        (3, Priority.CRITICAL),
        (2, Priority.HIGH),
        (1, Priority.MEDIUM),
        (0, Priority.LOW),
        (4, None),
        (True, None),
        ("urgent", None),
        ([], None),
    ],
)
def test_tasks_have_words_and_numbers_of_their_own(said: object, priority: Priority | None) -> None:
    """E2."""
    assert tasks.priority_of(said) is priority


@pytest.mark.parametrize(
    ("hints", "delays", "timeout"),
    [
        ({}, (0.0, 2.0, 4.0), 300),
        ({"max_retries": 1}, (0.0,), 300),
        ({"max_retries": 0}, (), 300),
        ({"max_retries": 5}, (0.0, 2.0, 4.0, 8.0, 16.0), 300),
        ({"max_retries": None, "timeout": 5}, (0.0, 2.0, 4.0), 5),
    ],
)
def test_hints_in_the_payload_win_over_the_type(hints: dict[str, Any], delays: tuple[float, ...], timeout: int) -> None:
    """E16."""
    task("review")(review)
    kind = tasks.kind_of_event({"task_type": "review", "payload": hints})
    assert (kind.retry_delays, kind.timeout, kind.type) == (delays, timeout, "review")


def test_more_retries_than_a_type_gives_delays_double_on_up_to_an_hour() -> None:
    task("slow", retries=(600,))(review)
    kind = tasks.kind_of_event({"task_type": "slow", "payload": {"max_retries": 5}})
    assert kind.retry_delays == (600.0, 1200.0, 2400.0, 3600.0, 3600.0)
    assert tasks.delays(20)[-1] == 3600.0


@pytest.mark.parametrize(
    ("event", "field", "code"),
    [
        ({}, "task_type", "missing_field"),
        ({"task_type": 1}, "task_type", "wrong_type"),
        ({"task_type": "nobody"}, "task_type", "unknown_task_type"),
        ({"task_type": "review", "payload": []}, "payload", "wrong_type"),
        ({"task_type": "review", "payload": {"max_retries": 21}}, "payload.max_retries", "invalid_value"),
        ({"task_type": "review", "payload": {"max_retries": True}}, "payload.max_retries", "invalid_value"),
        ({"task_type": "review", "payload": {"timeout": 0.5}}, "payload.timeout", "invalid_value"),
        ({"task_type": "review", "payload": {"timeout": 86_401}}, "payload.timeout", "invalid_value"),
    ],
)
def test_what_breaks_a_rule_names_its_field(event: dict[str, Any], field: str, code: str) -> None:
    task("review")(review)
    with pytest.raises(Invalid) as refused:
        tasks.validate(event)
    assert (refused.value.field, refused.value.code) == (field, code)


def test_the_handler_gets_the_task() -> None:
    task("review")(review)
    payload = a_payload({"task_type": "review", "payload": {"file": "main.py"}}, kind="task", event_id="t-1")
    kind = kind_of(payload)
    assert kind.handler(payload, Context("x")) == "t-1 review {'file': 'main.py'} high"  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize("body", [{"task_type": "gone"}, {}])
def test_a_type_that_vanished_cannot_be_run(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="task_type"):
        kind_of(a_payload(body, kind="task"))


def test_a_body_that_is_no_task_is_a_failure_for_good() -> None:
    task("review")(review)
    payload = a_payload({"task_type": "review", "payload": []}, kind="task")
    with pytest.raises(PermanentError):
        tasks.TYPES["review"].handler(payload, Context("x"))  # type: ignore[call-arg, arg-type]
    with pytest.raises(PermanentError, match="no handler"):
        tasks.handle(payload, Context("x"))


def test_a_module_of_task_types_may_be_named_in_the_environment() -> None:
    register_named(["tests.ingest.kinds.agents"])
    assert set(tasks.TYPES) == {"agents-echo"}
    register_named(["tests.ingest.kinds.agents.echo"])
    with pytest.raises(ImproperlyConfigured, match="a module without a task type"):
        register_named(["tests.ingest.kinds.test_kind"])
    with pytest.raises(ImproperlyConfigured, match="cannot be imported"):
        register_named(["tests.ingest.kinds.nowhere"])
