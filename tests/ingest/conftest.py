"""What tests of taking in share."""

from collections.abc import Iterator
from typing import Any

import pytest

from ingest.queue.connections import close_connections
from tests.conftest import Valkey


@pytest.fixture
def mortal(own_valkey: Valkey, settings: Any) -> Iterator[Valkey]:
    """A Valkey that the test may kill, in the place of the shared one."""
    close_connections()
    settings.REDIS_URL = own_valkey.url
    yield own_valkey
    close_connections()
