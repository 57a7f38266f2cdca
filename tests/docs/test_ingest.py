"""docs/ingest.md: its commands and code run, its answers are the real ones, and its tables are the code's."""

import ast
import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import redis
import requests
import yaml

from ingest.api import limits
from tests.ingest.api.conftest import EVENTS, stored_ids
from tests.ingest.api.test_fastlane import Daphne

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "docs" / "ingest.md").read_text()
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def daphne(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daphne]:
    server = Daphne(tmp_path_factory.mktemp("web"))
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _empty(empty_redis: redis.Redis) -> None:
    pass


def _section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _blocks(language: str, text: str = TEXT) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def _table(title: str) -> dict[str, list[str]]:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", _section(title), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def _shape(value: Any) -> Any:
    """What an example must have in common with the real thing."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return value if isinstance(value, bool | int) or value is None else type(value)


# --- what is copied ------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl was not found")
def test_the_commands_do_what_it_shows(daphne: Daphne, tmp_path: Path) -> None:
    said = []
    for block in _blocks("sh"):
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace("curl ", "curl -sS ").replace(ADDRESS, daphne.url)],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        said.append(json.loads(run.stdout))
    one, many, found, cloud, points = said
    shown = [json.loads(block) for block in _blocks("json")]
    assert [_shape(one), _shape(many)] == [_shape(each) for each in shown]
    assert (one["priority"], one["severity"]) == (shown[0]["priority"], shown[0]["severity"])
    assert many["items"][2]["error"] == shown[1]["items"][2]["error"]
    assert (found["id"], found["event_id"], found["state"]) == (one["id"], "disk-db-04", "queued")
    assert (cloud["event_id"], cloud["priority"]) == ("7f3a", "critical")
    assert (points["queued"], points["rejected"]) == (2, 0)


@pytest.fixture
def send(daphne: Daphne) -> Any:
    names: dict[str, Any] = {}
    exec(_blocks("python")[0].replace(ADDRESS, daphne.url), names)  # noqa: S102 - it is what a reader copies
    return names["send"]


def test_the_python_sender_stores_what_is_good_and_returns_what_is_not(send: Any, empty_redis: redis.Redis) -> None:
    bad = {"title": 7}
    [(event, error)] = send([{"title": "a"}, bad, {"title": "b"}])
    assert (event, error["code"]) == (bad, "wrong_type")
    assert send([{"title": "a"}]) == []
    [(event, error)] = send([bad])
    assert (event, error["code"]) == (bad, "wrong_type")
    assert len(stored_ids(empty_redis)) == 3


def test_the_python_sender_doubles_nothing_when_answers_are_lost(send: Any, empty_redis: redis.Redis) -> None:
    real, tries = requests.post, []

    def lossy(*arguments: Any, **options: Any) -> Any:
        tries.append(options["headers"]["Idempotency-Key"])
        answer = real(*arguments, **options)
        if len(tries) < 3:
            raise requests.ConnectionError("the answer is lost")
        return answer

    with patch("requests.post", lossy), patch("time.sleep") as slept:
        assert send([{"title": "a"}, {"title": "b"}]) == []
    assert (len(tries), len(set(tries)), slept.call_count) == (3, 1, 2)
    assert len(stored_ids(empty_redis)) == 2


def test_the_python_sender_waits_as_it_is_told_and_gives_up(send: Any) -> None:
    answer = requests.Response()
    answer.status_code, answer.headers["Retry-After"] = 503, "7"
    answer._content = b'{"retryable":true,"detail":"not now"}'
    with (
        patch("requests.post", return_value=answer),
        patch("time.sleep") as slept,
        pytest.raises(RuntimeError, match="not now"),
    ):
        send([{"title": "a"}])
    assert [call.args[0] for call in slept.call_args_list] == [7, 7, 7, 8, 16, 32, 60, 60]
    with patch("time.sleep") as slept, pytest.raises(RuntimeError, match="key"):
        send([{"title": "a"}], key="qa_wrong")
    assert slept.call_count == 0


def test_the_cloudevents_sdk_works_as_it_shows(daphne: Daphne, empty_redis: redis.Redis) -> None:
    exec(_blocks("python")[1].replace(ADDRESS, daphne.url), {})  # noqa: S102
    # Both modes say the same, so the second one is a duplicate.
    assert len(stored_ids(empty_redis)) == 1


# --- Vector and Fluent Bit -----------------------------------------------------------------------


def test_what_vector_is_told_to_send_is_taken(daphne: Daphne, empty_redis: redis.Redis, tmp_path: Path) -> None:
    (block,) = _blocks("yaml", _section("Vector"))
    sink = yaml.safe_load(block)["sinks"]["queueadmin"]
    assert (sink["encoding"]["codec"], sink["framing"]["method"]) == ("json", "newline_delimited")
    assert sink["batch"]["max_events"] <= limits.ITEMS
    assert sink["batch"]["max_bytes"] <= limits.WIRE_BYTES
    answer = requests.post(
        sink["uri"].replace(ADDRESS, daphne.url),
        data=gzip.compress(b'{"id":"1","source":"vector","title":"a"}\n{"id":"2","source":"vector","title":"b"}\n'),
        headers={"Content-Type": "application/x-ndjson", "Content-Encoding": sink["compression"]},
        timeout=60,
    )
    assert (answer.status_code, len(stored_ids(empty_redis))) == (202, 2)
    assert requests.head(sink["healthcheck"]["uri"].replace(ADDRESS, daphne.url), timeout=60).status_code == 200
    _validate("vector", block, tmp_path, "validate", "--no-environment")


def test_what_fluent_bit_is_told_to_send_is_taken(daphne: Daphne, empty_redis: redis.Redis, tmp_path: Path) -> None:
    (block,) = _blocks("yaml", _section("Fluent Bit"))
    pipeline = yaml.safe_load(block)["pipeline"]
    [output] = pipeline["outputs"]
    assert (output["format"], output["uri"]) == ("json", EVENTS)
    record = {
        output["json_date_key"]: "2026-11-22T08:00:00.123456Z",
        pipeline["filters"][0]["uuid_key"]: "0dd4f1b2-6e0b-4c1c-9e59-2d1bb1d0f3a2",
        "source": "fluent-bit",
        "title": "disk is full",
    }
    for _ in range(2):  # it sends again after a 207
        answer = requests.post(
            f"{daphne.url}{output['uri']}",
            data=gzip.compress(json.dumps([record, {"title": 7}]).encode()),
            headers={"Content-Type": "application/json", "Content-Encoding": output["compress"]},
            timeout=60,
        )
        assert answer.status_code == 207
    assert len(stored_ids(empty_redis)) == 1
    _validate("fluent-bit", block, tmp_path, "--dry-run", "-c")


def _validate(program: str, configuration: str, folder: Path, *arguments: str) -> None:
    """By the program itself, where it is there."""
    if shutil.which(program) is not None:
        (folder / "configuration.yaml").write_text(configuration)
        command = [program, *arguments, str(folder / "configuration.yaml")]
        subprocess.run(command, check=True, env={"QUEUEADMIN_KEY": "x"}, capture_output=True)


# --- tables --------------------------------------------------------------------------------------


def test_its_limits_are_the_code_s() -> None:
    values = {
        "items": limits.ITEMS,
        "points": limits.POINTS,
        "item_bytes": limits.ITEM_BYTES,
        "wire_bytes": limits.WIRE_BYTES,
        "inflated_bytes": limits.INFLATED_BYTES,
        "inflation_ratio": limits.RATIO,
        "depth": limits.DEPTH,
        "keys": limits.KEYS,
        "body_seconds": limits.BODY_SECONDS,
        "in_flight_bytes": limits.IN_FLIGHT_BYTES,
    }
    assert {name: cells[-1] for name, cells in _table("Limits").items()} == {
        name: f"{value:,.0f}" for name, value in values.items()
    }
    assert f"from {limits.RATIO_FROM:,} bytes on" in _section("Limits")


#: Functions that take a problem's code, and where it stands among their arguments.
CODES_OF = {"Problem": 1, "_refused": 1, "Invalid": 1, "too_large": 0}


def _codes() -> Iterator[str]:
    for folder in ("ingest", "queueadmin"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODES_OF:
                    for argument in node.args[CODES_OF[node.func.id] :][:1]:
                        parts = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
                        yield from (str(part.value) for part in parts if isinstance(part, ast.Constant))


def test_every_code_is_in_its_table() -> None:
    # `error` is Django REST framework's own default.
    assert sorted({*_codes(), "error"}) == sorted(_table("Codes"))
