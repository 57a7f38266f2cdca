"""S26: whatever the description allows, and much that it forbids, gets an answer that it describes, and never a 5xx.

On both faces, with a key of all scopes and without one. `make test` takes a sample, `make test-all` far more.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import CHECKS, load_all_checks

from ingest.api import intake
from queueadmin.console.openapi import schema
from tests.console.openapi.conftest import closed, operations
from tests.ingest.api.test_fastlane import Daphne

load_all_checks()
#: Not asked: that all it allows is taken. JSON Schema cannot say that a time is near or a text free of surrogates.
ASKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
    ]
)
#: How what is wrong may be refused: also as too large, and of several alone.
CONFIG = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": ["207", "4XX"]}}})


def _examples(number: int) -> settings:
    """Always the same ones in a sample; others each time where there are many, and the failure says which."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=number < 100,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


FEW, MANY = _examples(10), _examples(200)


@schemathesis.serializer("application/x-ndjson")
def _lines(context: schemathesis.SerializationContext, value: Any) -> Any:
    return value.encode() if isinstance(value, str) else b""


OPERATIONS = [(method, path) for path, method, _ in operations(schema.document())]
SENDING = [(method, path) for method, path in OPERATIONS if path in intake.ENDPOINTS]
MODES = pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)


class Server:
    """The web process, with its description, and a key of all scopes."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.daphne = Daphne(folder, **settings)
        document = requests.get(f"{self.daphne.url}/api/schema/", timeout=60).json()
        self.api: Any = schemathesis.openapi.from_dict(closed(document), config=CONFIG)
        self.api.config.update(base_url=self.daphne.url)
        made = self.daphne.manage("api_key", "create", "schemathesis", "--scopes=ingest,read,admin")
        self.headers = {"keyless": {}, "key": {"X-API-KEY": made.splitlines()[-1]}}

    def ask(self, method: str, path: str, mode: schemathesis.GenerationMode, how: settings, *callers: str) -> None:
        """Each request by every caller: making one up takes longer than asking with it."""

        @how
        @given(case=self.api[path][method].as_strategy(generation_mode=mode))
        def answers(case: schemathesis.Case) -> None:
            for caller in callers:
                note(f"Sent by: {caller}")
                case.call_and_validate(headers=self.headers[caller], checks=ASKED, timeout=60)

        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong about a request without anything
            answers()

    def stop(self) -> None:
        self.daphne.stop()
        assert "Traceback" not in self.daphne.log.read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("web"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def lane_off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("web"), INGEST_FAST_LANE="0")
    yield running
    running.stop()


@MODES
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_breaks_it(server: Server, method: str, path: str, mode: schemathesis.GenerationMode) -> None:
    server.ask(method, path, mode, FEW, "keyless", "key")


@MODES
@pytest.mark.parametrize(("method", "path"), SENDING)
def test_nor_without_the_fast_lane(lane_off: Server, method: str, path: str, mode: schemathesis.GenerationMode) -> None:
    lane_off.ask(method, path, mode, FEW, "key")


@pytest.mark.long
@pytest.mark.timeout(1800)
@MODES
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nor_does_any_of_many(server: Server, method: str, path: str, mode: schemathesis.GenerationMode) -> None:
    server.ask(method, path, mode, MANY, "keyless", "key")


@pytest.mark.long
@pytest.mark.timeout(1800)
@MODES
@pytest.mark.parametrize(("method", "path"), SENDING)
def test_nor_does_any_of_many_without_the_fast_lane(
    lane_off: Server, method: str, path: str, mode: schemathesis.GenerationMode
) -> None:
    lane_off.ask(method, path, mode, MANY, "key")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nor_do_many_requests_one_after_the_other(server: Server) -> None:
    """By the description's links: what was sent is looked up and moved."""

    class Machine(server.api.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": server.headers["key"], "timeout": 30}

        def validate_response(self, response: Any, case: schemathesis.Case, **more: Any) -> None:
            case.validate_response(response, checks=ASKED)

    run_state_machine_as_test(Machine, settings=settings(MANY, max_examples=100, stateful_step_count=10))
