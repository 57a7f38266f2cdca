"""An operator's test event."""

import pytest
import redis

from ingest.queue import keys
from queueadmin.console import operations
from tests.console.conftest import outcome

pytestmark = pytest.mark.django_db


def test_a_test_event_goes_through_the_one_door(empty_redis: redis.Redis) -> None:
    sent = operations.send_test_event(actor="ada")
    assert sent.queue == "low"
    assert empty_redis.lrange(keys.queue("low"), 0, -1) == [sent.id.encode()]
    assert outcome().outcome == f"Test event {sent.id} accepted into low."
