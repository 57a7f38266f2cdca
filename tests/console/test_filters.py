"""The filter grammar: what parses to what, what matches what, what is refused and how (section 4 of the contract)."""

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.priorities import PRIORITIES
from queueadmin.console.filters import KEYS, MAX_LENGTH, MAX_TERMS, Filter, FilterError, parse
from queueadmin.console.filters.grammar import STATES
from queueadmin.console.filters.terms import KEY, Field, Payload, Time, Words
from queueadmin.console.filters.times import Ago
from queueadmin.console.filters.words import asked
from tests.docs.test_contract import CONTRACT

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def dead(**changes: Any) -> dict[str, Any]:
    """A dead letter in the contract's shape."""
    record: dict[str, Any] = {
        "id": "019390a0b1c2",
        "event_id": "disk-db-1",
        "kind": "alert",
        "source": "zabbix",
        "tenant": "",
        "queue": "high",
        "state": "failed",
        "title": "Disk is full on db-1",
        "group": "0123456789ab",
        "replay": None,
        "enqueued_at": NOW - timedelta(days=2),
        "error": {
            "type": "django.db.utils.IntegrityError",
            "message": "duplicate key, value 17",
            "reason": "error",
            "at": NOW - timedelta(hours=3),
        },
        "payload": {
            "title": "Disk is full on db-1",
            "labels": {"host": "db-1", "service.name": "store", "tags": ["Blau", "rot"]},
            "payload": {"fault": "error", "retries": 3, "share": 0.5, "ok": False, "none": None},
            "items": [{"id": 1}, {"id": 2}],
            "big": 18446744073709551617,
        },
    }
    return record | changes


def matches(text: str, **changes: Any) -> bool:
    return parse(text).matches(dead(**changes), now=NOW)


# --- the grammar -----------------------------------------------------------------------------------


def test_the_keys_are_the_contracts() -> None:
    terms = re.search(r"^Filter, one grammar.*?terms separated by spaces, `([^`]+)`", CONTRACT, re.MULTILINE)
    assert terms is not None
    assert tuple(key.removesuffix(":") for key in terms[1].split()) == KEYS
    states = re.search(r"^States, the only words: `([^`]+)`", CONTRACT, re.MULTILINE)
    assert states is not None
    assert tuple(states[1].split(" · ")) == STATES


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("kind:alert", Field("kind", ("alert",))),
        ("queue:high,low", Field("queue", ("high", "low"))),
        ("-source:zabbix", Field("source", ("zabbix",), negated=True)),
        ('source:"my source"', Field("source", ("my source",))),
        ('source:a,"b, c",d', Field("source", ("a", "b, c", "d"))),
        ('tenant:""', Field("tenant", ("",))),
        ("id:a:b", Field("id", ("a:b",))),
        ("source:-x", Field("source", ("-x",))),
        ("timeout", Words(("timeout",))),
        ('-"no such device"', Words(("no such device",), negated=True)),
        ('"kind:alert"', Words(("kind:alert",))),
        ("10:30", Words(("10:30",))),
        (r'"say \"hi\" to C:\temp\\"', Words(('say "hi" to C:\\temp\\',))),
        ("payload.labels.host:db-1", Payload("labels.host", ("db-1",))),
        ("-payload.labels.app.kubernetes.io/name:x", Payload("labels.app.kubernetes.io/name", ("x",), negated=True)),
        ("since:2h", Time("since", Ago(2, "h"))),
        ("older:7d", Time("older", Ago(7, "d"))),
        ("until:2026-11-22T12:00:00+02:00", Time("until", datetime(2026, 11, 22, 10, tzinfo=UTC))),
        ("until:2026-11-22t10:00:00.5z", Time("until", datetime(2026, 11, 22, 10, 0, 0, 500_000, tzinfo=UTC))),
    ],
)
def test_a_term_is_read(text: str, term: object) -> None:
    assert parse(text) == Filter((term,))  # type: ignore[arg-type]
    assert parse(f" {text}\t\n{text} ") == Filter((term, term))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour:red", r"^colour:red: there is no key colour; keys are kind, source, .*, payload\.<path>\. To look"),
        ("kind.x:red", r"there is no key kind\.x"),
        ("https://example.com", r"no key https.*double quotes"),
        ("ValueError: no", r"no key ValueError"),
        ("kind:alert queue:urgent", r'^queue:urgent: queue is one of critical, high, medium, low, not "urgent"'),
        ("-state:dead", r"^-state:dead: state is one of spooled, queued, .*, canceled, not"),
        ("permanent:true", r'^permanent:true: permanent is one of yes, no, not "true"'),
        ('permanent:""', r'permanent is one of yes, no, not ""'),
        ("permanent.x:yes", r"there is no key permanent\.x"),
        ("permanent:", r"as in permanent:yes"),
        ("reason:bad", r"reason is one of error, timeout, poison, permanent, unreadable, not_allowed, not"),
        ("kind:", r"^kind:: a value, as in kind:alert is missing"),
        ("since:", r"as in since:2h"),
        ("kind:a,", r"is missing"),
        ("failed,", r"a text is missing"),
        ("-", r"^-: a text is missing"),
        ('""', r"an empty text"),
        ('source:"open', r'^source:"open: the double quote is not closed'),
        (r'"open\"', r"not closed"),
        ('source:a"b"', r"inside a value"),
        ('"a"b', r"after a closing quote"),
        ("payload:x", r"payload takes a path"),
        ("payload.:x", r"payload takes a path"),
        ("payload.a..b:x", r"payload takes a path"),
        ("since:yesterday", r'since takes a number with s, m, h, d or w.*2026-11-22T10:00:00Z.*not "yesterday"'),
        ("since:2026-11-22T10:00:00", r"a time with its zone"),
        ("since:2026-02-31T10:00:00Z", r"since takes"),
        ("since:0001-01-01T00:00:00+10:00", r"since takes"),
        ("since:0h", r"since takes"),
        ("since:99999w", r"at most 3,650 days"),
        ("older:2026-11-22T10:00:00Z", r"older takes a number with s, m, h, d or w, such as 15m, 2h or 7d, of"),
        ("since:1h,2h", r"takes one value"),
        ("-since:2h", r"cannot be negated; use until:"),
        ('"---"', r'^"---": a text is looked for word by word; it needs a letter or a digit'),
        ("x " * (MAX_TERMS + 1), rf"at most {MAX_TERMS} terms"),
        ("x" * (MAX_LENGTH + 1), r"at most 2,000 characters, not 2,001"),
        ("a\0b", r"a character that no text has"),
        ("a\ud800b", r"a character that no text has"),
    ],
)
def test_what_is_wrong_is_said_with_the_term_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(FilterError, match=said):
        parse(text)


def test_an_error_repeats_no_more_than_the_start_of_a_term() -> None:
    with pytest.raises(FilterError) as caught:
        parse("nosuch:" + "x" * 1900)
    assert len(str(caught.value)) < 400


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
_words = _texts.filter(asked)
_names = st.from_regex(r"[^\s:,\".\0\ud800-\udfff]{1,5}", fullmatch=True)
_values = st.lists(_texts | st.just(""), min_size=1, max_size=3).map(tuple)
_moments = st.datetimes(timezones=st.just(UTC))
_ago = st.builds(Ago, st.integers(1, 500), st.sampled_from("smhdw"))
_terms = st.one_of(
    st.builds(Words, st.lists(_words, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(
        Field, st.sampled_from(["kind", "source", "tenant", "error", "group", "replay", "id"]), _values, st.booleans()
    ),
    st.builds(Field, st.just("queue"), st.lists(st.sampled_from([str(p) for p in PRIORITIES]), min_size=1).map(tuple)),
    st.builds(Field, st.just("state"), st.lists(st.sampled_from(STATES), min_size=1).map(tuple), st.booleans()),
    st.builds(Field, st.just("permanent"), st.lists(st.sampled_from(["yes", "no"]), min_size=1).map(tuple)),
    st.builds(Payload, st.lists(_names, min_size=1, max_size=3).map(".".join), _values, st.booleans()),
    st.builds(Time, st.sampled_from(["since", "until"]), _ago | _moments),
    st.builds(Time, st.just("older"), _ago),
)


@given(st.lists(_terms, max_size=6).map(tuple).map(Filter))
def test_what_is_written_is_read_as_the_same(made: Filter) -> None:
    assert parse(str(made)) == made


@given(st.text('ab:,-"\\. \nkind', max_size=60) | st.text(max_size=40))
def test_any_text_is_refused_or_written_no_longer_than_it_was(text: str) -> None:
    """So what was within the limits stays within them."""
    try:
        read = parse(text)
    except FilterError:
        return
    assert parse(str(read)) == read
    assert len(str(read)) <= len(text)


def test_reading_takes_time_linear_in_the_text() -> None:
    """A quadratic one would take seconds at this length."""
    numbers = random.Random(1)
    for alphabet in ('"\\', "-:a", 'payload.:"', "a,"):
        text = "".join(numbers.choices(alphabet, k=MAX_LENGTH))
        try:
            parse(text)
        except FilterError:
            continue


# --- matching ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kind:alert",
        "kind:point,alert",
        "-kind:point",
        "source:zabbix queue:high",
        'tenant:"" replay:""',
        "state:failed",
        "error:IntegrityError",
        "error:integrityerror",
        "error:django.db.utils.IntegrityError",
        "reason:error,timeout",
        "-reason:poison",
        "permanent:no",
        "permanent:no,yes",
        "-permanent:yes",
        "group:0123456789ab",
        "id:disk-db-1",
        "id:019390a0b1c2",
        "DISK",
        '"disk is full"',
        "duplicate blau",
        "integr",  # of a CamelWord, and the beginning of a word
        "'disk-db-1'",
        "nothing,disk",
        "-nothing",
        "18446744073709551617",
        "since:4h",
        "until:2h",
        "older:2h",
        "since:2026-11-22T09:00:00Z",
        "since:4h until:2h",
        "payload.labels.host:db-1",
        "payload.labels.service.name:store",
        "payload.labels.tags:rot",
        "payload.labels.tags.0:Blau",
        "payload.items.id:2",
        "payload.big:18446744073709551617",
        "payload.fault:error",
        "payload.payload.fault:error",
        "payload.retries:3",
        "payload.share:0.50",
        "payload.ok:false",
        "payload.none:null",
        'payload.nowhere:""',
        '-payload.labels.host:"",x',
    ],
)
def test_it_matches(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "kind:Alert",
        "kind:alert -kind:alert",
        "kind:alert queue:low",
        "-queue:low,high",
        "source:zab",
        "state:queued",
        "error:Integrity",
        "error:utils.IntegrityError",
        'error:""',
        "reason:poison",
        "permanent:yes",
        "-permanent:no",
        "nothing",
        "isk",
        '"full is"',
        "-disk",
        "since:2h",
        "until:3h",
        "until:2026-11-22T09:00:00Z",
        "older:4h",
        "payload.labels.host:DB-1",
        "payload.labels:db-1",
        "payload.items.id:3",
        "payload.share:half",
        "payload.nowhere:x",
        "payload.labels.host.x:db-1",
        '-payload.nowhere:""',
    ],
)
def test_it_does_not_match(text: str) -> None:
    assert not matches(text)


def test_a_job_without_an_error_goes_by_the_time_it_was_queued_and_what_is_missing_is_empty() -> None:
    job = {"state": "queued", "enqueued_at": NOW - timedelta(hours=1), "error": None}
    assert parse("since:2h").matches(job, now=NOW)
    assert not parse("since:30m").matches(job, now=NOW)
    assert parse('error:"" source:"" -x').matches(job, now=NOW)
    assert not parse("since:2h").matches({}, now=NOW)
    assert not parse("older:2h").matches({}, now=NOW)


def test_what_somebody_marked_is_permanent_whatever_it_failed_with() -> None:
    """A handler that says so itself has the reason, not the mark."""
    assert matches("permanent:yes", permanent=True)
    assert not matches("permanent:no", permanent=True)
    handler = dead()["error"] | {"reason": "permanent"}
    assert matches("reason:permanent permanent:no", error=handler)


def test_fixed_times_stay_while_time_goes_on() -> None:
    """A replay of what matched when it was pressed says so hours later (X1)."""
    fixed = parse("since:4h older:2h kind:alert").fixed(NOW)
    assert str(fixed) == "since:2026-11-22T08:00:00Z until:2026-11-22T10:00:00Z kind:alert"
    later = NOW + timedelta(hours=5)
    assert fixed.matches(dead(), now=later)
    assert not parse("since:4h").matches(dead(), now=later)


def test_it_says_what_must_be_read() -> None:
    assert not parse("kind:alert since:2h").reads_payload
    assert parse("disk").reads_payload
    assert parse("payload.a:b").reads_payload
    assert [name for name in PRIORITIES if parse("queue:high,low -queue:low kind:a").allows("queue", name)] == ["high"]
    assert parse("-group:x").asks("group")
    assert not parse("group").asks("group")


def test_the_pattern_for_keys_is_about_starts_alone() -> None:
    assert KEY.match("payload.a-b/c.d:x")
    assert not KEY.match("10:30")
