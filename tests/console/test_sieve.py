"""The sieve rules out what cannot match, and never what a filter finds (issue 7: a page looks at thousands of jobs)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueadmin.console.dead_letters.reading import event_in, title_of
from queueadmin.console.filters import parse
from queueadmin.console.filters.filter import Filter
from queueadmin.console.filters.sieve import Sieve
from queueadmin.console.filters.terms import Payload, Words


def is_let_through(text: str, event: str) -> bool:
    return Sieve(parse(text).terms).passes(event)


def matches(chosen: Filter, event: str) -> bool:
    shown = event_in(event)
    return chosen.matches({"title": title_of(shown), "payload": shown})


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("nobody-says-this", '{"title":"Disk is full"}'),
        ("disk nobody", '{"title":"Disk is full"}'),
        ('"full disk"', '{"title":"Disk is here"}'),
        ("payload.host:db-1,db-2", '{"host":"db-3"}'),
        ("4711", '{"order":4712,"at":"10:00:00.5","share":0.93,"list":[1.5,2e3]}'),
        ("payload.share:0.5", '{"share":0.93}'),
    ],
)
def test_what_does_not_stand_there_is_ruled_out(text: str, event: str) -> None:
    assert not is_let_through(text, event)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("DISK", '{"title":"disk"}'),
        ("straße", '{"title":"STRASSE"}'),
        ("kelvin", '{"title":"\u212aelvin"}'),
        ("disk", r'{"title":"\u0064isk"}'),
        ("a/b", r'{"title":"a\/b"}'),
        (r'"say \"hi\""', r'{"title":"say \"hi\""}'),
        ('"a\tb"', r'{"title":"a\tb"}'),
        ("1000.0", '{"share":1e3}'),
        ("payload.share:1000", '{"share":1E3}'),
        ("payload.share:1_0", '{"share":10.0}'),
        ("1e+20", '{"list":[1,100000000000000000000.0]}'),
        ("payload.none:null", '{"none":null}'),
        ('payload.none:""', "{}"),
        ("payload.ok:true", '{"ok":true}'),
        ('"bearer •••"', '{"text":"Bearer  abcdefgh12345"}'),
        ("-disk", '{"title":"other"}'),
        ("-payload.host:db-1", '{"host":"db-2"}'),
    ],
)
def test_what_matches_is_let_through(text: str, event: str) -> None:
    assert matches(parse(text), event)
    assert is_let_through(text, event)


_TEXT = st.text(st.sampled_from('aKkßſfiﬁ"\\/ \n\té.•1e-0'), max_size=6)
_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 2000) | st.floats(allow_nan=True) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT | st.just("password"), inner, max_size=3),
    max_leaves=6,
)


def _texts(value: Any) -> list[str]:
    """What might be looked for: the texts in it and parts of them."""
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in _texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value), str(value)[1:3], json.dumps(value)]


@given(st.dictionaries(_TEXT, _VALUE, max_size=4), st.data(), st.booleans(), st.booleans())
def test_nothing_that_matches_is_ever_ruled_out(
    event: dict[str, Any], data: st.DataObject, escaped: bool, negated: bool
) -> None:
    written = json.dumps(event, ensure_ascii=escaped)
    looked_for = data.draw(st.sampled_from([*_texts(event), "nobody"]) | _TEXT)
    path = data.draw(st.sampled_from([*event, "none"]))
    for term in (Words((looked_for,), negated), Payload(path, (looked_for,), negated)):
        if (looked_for or isinstance(term, Payload)) and matches(Filter((term,)), written):
            assert Sieve((term,)).passes(written), term
