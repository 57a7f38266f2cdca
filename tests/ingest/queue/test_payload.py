"""What travels in a job: exact, versioned, and never more than one allowed call."""

import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.queue import payload
from ingest.queue.payload import Payload, Unreadable, body_of, decode, encode, from_envelope
from tests.ingest.queue.conftest import make_payload

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    st.builds(
        Payload,
        id=text,
        kind=text,
        received_at=st.datetimes(timezones=st.just(UTC)),
        priority=text,
        source=text,
        tenant=text,
        event_id=st.none() | text,
        body=st.dictionaries(text, st.integers() | text | st.floats(allow_nan=False, allow_infinity=False)).map(
            lambda event: json.dumps(event).encode()
        ),
    )
)
def test_what_goes_in_comes_out(event: Payload) -> None:
    assert decode(encode(event), event.id) == event


def test_the_body_stays_byte_for_byte() -> None:
    body = b'{ "n": 123456789012345678901234567890, "f": 1.10, "\\u0041": "\xc3\xa9" }'
    assert body_of(encode(make_payload(body=body))) == body


def test_it_is_a_call_of_rqs_json_serializer() -> None:
    event = make_payload(body=b'{"title":"disk full"}')
    assert json.loads(plain(event)) == [
        "ingest.jobs.process_event",
        None,
        [
            {
                "v": 1,
                "kind": "alert",
                "received_at": "2026-11-22T10:00:00.123456Z",
                "priority": "high",
                "source": "prometheus",
                "tenant": "acme",
                "event_id": "client-1",
                "event": {"title": "disk full"},
            }
        ],
        {},
    ]


def test_large_data_is_compressed_as_rq_does_and_small_data_is_not() -> None:
    small, large = make_payload(body=b"{}"), make_payload(body=json.dumps({"a": "b" * 1000}).encode())
    assert encode(small)[:1] == b"["
    assert len(encode(large)) < 500
    assert decode(encode(large), large.id) == large
    assert decode(zlib.compress(encode(small)), small.id) == small


def test_a_stock_worker_hands_over_the_same_event() -> None:
    event = make_payload(body=b'{"n":123456789012345678901234567890,"t":"\xc3\xa9"}')
    envelope = json.loads(plain(event))[2][0]
    assert from_envelope(envelope, event.id) == event


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": "1"},
        {"kind": 7},
        {"received_at": "yesterday"},
        {"received_at": "2026-11-22T10:00:00"},
        {"event": "no object"},
        {"event": {"n": float("inf")}},
        {"event": None},
    ],
)
def test_an_envelope_that_cannot_be_read_is_said_to_be(change: dict[str, object]) -> None:
    envelope = json.loads(plain(make_payload()))[2][0] | change
    with pytest.raises(Unreadable) as caught:
        from_envelope(envelope, "1")
    assert caught.value.reason == "unreadable"


def test_what_an_event_has_not_takes_no_room() -> None:
    event = make_payload(tenant="", event_id=None)
    assert not json.loads(plain(event))[2][0].keys() & {"tenant", "event_id"}
    assert decode(encode(event), event.id) == event
    full = plain(event).replace(b',"event":', b',"tenant":"","event_id":null,"event":')
    assert decode(full, event.id) == event


def test_a_missing_field_is_unreadable() -> None:
    envelope = json.loads(plain(make_payload()))[2][0]
    for name in envelope.keys() - {"tenant", "event_id"}:
        with pytest.raises(Unreadable):
            from_envelope({key: value for key, value in envelope.items() if key != name}, "1")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: b"", "cannot be read"),
        (lambda data: b"\x80\x04N.", "cannot be read"),  # a pickle
        (lambda data: data[:-5], "cannot be read"),
        (lambda data: zlib.compress(data)[:-5], "cut off"),
        (lambda data: data.replace(b'"v":1', b'"v":2'), "version 2"),
        (lambda data: data.replace(b'"v":1,', b""), "version none"),
        (lambda data: data.replace(b'"v":1', b'"v":{"a":1}'), "version"),
        (lambda data: data.replace(b'"kind":"alert"', b'"kind":7'), "kind"),
        (lambda data: data.replace(b"2026-11-22T10:00:00.123456Z", b"2026-11-22T10:00:00.123456"), "time zone"),
        (lambda data: b"[" * 100_000, "cannot be read"),
    ],
)
def test_data_that_cannot_be_read_is_said_to_be(damage: Callable[[bytes], bytes], says: str) -> None:
    with pytest.raises(Unreadable, match=says) as caught:
        body_of(damage(plain(make_payload())))
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("function", ["os.system", "ingest.jobs.other", "builtins.eval"])
def test_another_function_is_not_allowed(function: str) -> None:
    """RQ42: with the JSON serializer alone, a hash that names os.system runs it."""
    for data in (
        json.dumps([function, None, ["touch /tmp/x"], {}]).encode(),
        plain(make_payload()).replace(payload.FUNCTION.encode(), function.encode()),
    ):
        with pytest.raises(Unreadable) as caught:
            body_of(data)
        assert caught.value.reason == "not_allowed"


def test_our_function_as_a_method_or_with_keywords_is_unreadable() -> None:
    call = json.loads(plain(make_payload()))
    for changed in ([call[0], "instance", *call[2:]], [*call[:3], {"key": 1}], [*call[:2], [call[2][0], 1], {}]):
        with pytest.raises(Unreadable) as caught:
            body_of(json.dumps(changed).encode())
        assert caught.value.reason == "unreadable"


def test_a_small_field_cannot_unfold_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MAX_DATA", 1_000_000)
    with pytest.raises(Unreadable, match="too large"):
        body_of(zlib.compress(b" " * 1_000_001))


def test_the_time_is_kept_to_the_microsecond_in_utc() -> None:
    at = datetime(2026, 11, 22, 10, 0, 0, 1, tzinfo=UTC)
    assert decode(encode(make_payload(received_at=at)), "1").received_at == at


def plain(event: Payload) -> bytes:
    data = encode(event)
    return data if data[:1] == b"[" else zlib.decompress(data)
