"""What tests of taking in share."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.queue.connections import close_connections
from ingest.queue.payload import Payload
from tests.conftest import Valkey
from tests.migrated import give_database
from tests.programs import Program, Start


@pytest.fixture
def mortal(own_valkey: Valkey, settings: Any) -> Iterator[Valkey]:
    """A Valkey that the test may kill, in the place of the shared one."""
    close_connections()
    settings.REDIS_URL = own_valkey.url
    yield own_valkey
    close_connections()


@pytest.fixture
def start(own_valkey: Valkey, tmp_path: Path) -> Iterator[Start]:
    """Start a command on `own_valkey`; killed at the end if it still runs."""
    programs: list[Program] = []

    def start(*command: str, **settings: str) -> Program:
        if not programs and command[0] != "migrate":
            if "DATABASE_URL" in settings:
                assert start("migrate", **settings).process.wait() == 0
            else:
                give_database(tmp_path)
        programs.append(Program(tmp_path, own_valkey.url, *command, **settings))
        return programs[-1]

    yield start
    for program in programs:
        program.process.kill()
        program.process.wait()


def a_payload(event: dict[str, Any], **fields: Any) -> Payload:
    """An event on its way to its handler."""
    usual = {"kind": "alert", "priority": "high", "source": "", "tenant": "", "event_id": None}
    return Payload(
        **{"id": "0" * 32, "received_at": datetime.now(UTC), "body": msgspec.json.encode(event), **usual, **fields}
    )
