"""A job's event as bytes: replaced, and read to be sent anew."""

import pytest
import redis

from ingest import client
from ingest.accept import accept
from ingest.client.events import copy_of, replace_event
from ingest.queue import keys
from ingest.reading import payloads

pytestmark = pytest.mark.django_db


def _body(job_id: str) -> bytes | None:
    return payloads.carried(job_id).body


def test_the_bytes_stay_as_they_are(empty_redis: redis.Redis) -> None:
    job_id = client.enqueue("memo", text="hello").id
    replace_event(job_id, b'{ "text":"x", "big":18446744073709551616, "f":1.10 }')
    assert _body(job_id) == b'{ "text":"x", "big":18446744073709551616, "f":1.10 }'


@pytest.mark.parametrize("body", [b"{}", b" {} ", b'{"kind":"memo"}', b'{"payload":{"kind":"alert"}}'])
def test_an_event_need_not_name_its_kind(body: bytes, empty_redis: redis.Redis) -> None:
    job_id = client.enqueue("memo", text="hello").id
    replace_event(job_id, body)
    assert _body(job_id) == body.strip()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"text":""}', b'{"kind":"alert"}', b'{"kind":"none"}'])
def test_what_would_not_be_taken_in_is_refused(body: bytes, empty_redis: redis.Redis) -> None:
    job_id = client.enqueue("memo", text="hello").id
    before = _body(job_id)
    with pytest.raises(ValueError, match=r"."):
        replace_event(job_id, body)
    assert _body(job_id) == before


def test_a_copy_is_another_job_with_the_same_event(empty_redis: redis.Redis) -> None:
    fields = {"id": "m1", "source": "bot", "tenant": "acme", "user_id": "u", "thread": "t", "delay_seconds": 60}
    job_id = client.enqueue("memo", text="hello", priority="critical", **fields).id
    client.run_now(job_id)
    client.move(job_id, "low")
    (receipt,) = accept([copy_of(job_id)])
    assert (receipt.outcome, receipt.id == job_id) == ("accepted", False)
    copy = client.get(receipt.id)
    assert (copy.kind, copy.source, copy.tenant, copy.event_id) == ("memo", "bot", "acme", None)
    assert (copy.state, copy.queue) == ("queued", "low")
    assert _body(receipt.id) == _body(job_id)
    assert accept([copy_of(job_id)])[0].outcome == "accepted"


def test_what_cannot_be_read_cannot_be_copied(empty_redis: redis.Redis) -> None:
    job_id = client.enqueue("memo", text="hello").id
    empty_redis.hset(keys.job(job_id), "data", b"rubbish")
    for unknown in (job_id, "nobody"):
        with pytest.raises(client.NotFound):
            copy_of(unknown)
