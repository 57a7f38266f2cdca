"""The API's description, and whether something is as it says."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ingest.kinds import tasks
from queueadmin.console.openapi import schema

METHODS = ("get", "post", "put", "patch", "delete")


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, each[method]) for path, each in document["paths"].items() for method in METHODS if method in each
    ]


@pytest.fixture(autouse=True)
def _task_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that an example sends."""
    monkeypatch.setattr(tasks, "TYPES", {})
    tasks.task("demo-report")(lambda given, context: None)


@pytest.fixture
def document() -> dict[str, Any]:
    return schema.document()


class Check:
    """Answers and examples against the description; members that it does not name are faults here."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = closed(document)["components"]

    def faults(self, wanted: dict[str, Any], value: Any) -> list[str]:
        made = Draft202012Validator(
            {**wanted, "components": self._components}, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        return [f"{each.json_path}: {each.message[:300]}" for each in made.iter_errors(value)]


@pytest.fixture
def check(document: dict[str, Any]) -> Check:
    return Check(document)


#: What clients send, and what holds others' words, may have further members.
OPEN = {"Event", "Task", "CloudEvent", "Problem", "ItemError"}


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The description with every object of an answer closed: what it shows must be described."""

    def close(value: Any) -> Any:
        if isinstance(value, list):
            return [close(each) for each in value]
        if not isinstance(value, dict):
            return value
        made = {name: close(each) for name, each in value.items() if name not in ("example", "examples")}
        if value.get("type") == "object" and "properties" in value:
            made.setdefault("additionalProperties", False)
        return made

    components = document["components"]
    schemas = {name: each if name in OPEN else close(each) for name, each in components["schemas"].items()}
    return {**document, "components": {**components, "schemas": schemas}}
