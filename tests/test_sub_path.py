"""Issue 7, point 7: what lies under SCRIPT_NAME is told apart, however the proxy hands it on."""

import asyncio
from typing import Any

import pytest

from queueadmin.sub_path import SubPath


def _inner_scope(prefix: str, scope: dict[str, Any]) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    async def inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope)

    asyncio.run(SubPath(inner, prefix)(scope, None, None))
    return seen[0]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("prefix", "path", "full"),
    [
        ("/queues", "/queues/jobs/", "/queues/jobs/"),
        ("/queues", "/jobs/", "/queues/jobs/"),
        ("/queues", "/queues", "/queues"),
        ("/queues", "/queuesome/", "/queues/queuesome/"),
        ("/a/b", "/", "/a/b/"),
        ("/a/b", "/a/", "/a/b/a/"),
        ("", "/jobs/", "/jobs/"),
    ],
)
def test_the_path_has_the_prefix_once(kind: str, prefix: str, path: str, full: str) -> None:
    found = _inner_scope(prefix, {"type": kind, "path": path})
    assert (found["path"], found["root_path"]) == (full, prefix)


def test_a_client_names_no_prefix_of_its_own() -> None:
    """Daphne takes the header Daphne-Root-Path for it."""
    assert _inner_scope("", {"type": "http", "path": "/jobs/", "root_path": "//evil.example"})["root_path"] == ""


def test_other_scopes_pass() -> None:
    assert _inner_scope("/queues", {"type": "lifespan"}) == {"type": "lifespan"}
