"""What a payload's lines show, and what they hide (D11)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueadmin.console import masking


def _flat(body: bytes | str) -> str:
    return "\n".join("".join(part.text for part in line) for line in masking.show(body).lines)


@pytest.mark.parametrize(
    "name",
    [
        "response_token",
        "Authorization",
        "api_key",
        "x-api-key",
        "APIKEY",
        "password",
        "passwd",
        "client_secret",
        "Cookie",
        "routing_key",
        "sessionid",
        "private-key",
        "aws_credentials",
        "pwd",
        "key",
    ],
)
def test_d11_a_field_named_like_a_credential_is_masked(name: str) -> None:
    shown = masking.show(json.dumps({name: "hunter2", "nested": {name: ["hunter2", {"a": "hunter2"}]}}))
    assert "hunter2" not in _flat(json.dumps({name: "hunter2", "nested": {name: ["hunter2", {"a": "hunter2"}]}}))
    assert shown.masked == 3


@pytest.mark.parametrize("name", ["dedup_key", "title", "monkey", "author", "keyboard", "fingerprint"])
def test_other_fields_are_shown(name: str) -> None:
    assert "hunter2" in _flat(json.dumps({name: "hunter2"}))


@pytest.mark.parametrize(
    "text",
    [
        "https://bob:hunter2@db.example/x",
        "GET /hook?token=hunter2&x=1",
        "GET /hook?x=1&api_key=hunter2",
        "Authorization: Bearer hunter2hunter2",
        "sig: Basic aHVudGVyMg==hunter2",
    ],
)
def test_a_credential_inside_a_text_is_masked(text: str) -> None:
    assert "hunter2" not in _flat(json.dumps({"message": text}))
    assert "hunter2" not in masking.masked_text(text)


def test_numbers_and_texts_are_shown_as_they_were_sent() -> None:
    body = b'{"n":18446744073709551615,"price":1.10,"tiny":1e-400,"text":"\\u00e9 <b>","none":null,"empty":{}}'
    flat = _flat(body)
    for expected in ("18446744073709551615", "1.10", "1e-400", '"é <b>"', "null", "{}"):
        assert expected in flat


def test_a_huge_payload_is_cut_and_counted() -> None:
    shown = masking.show(json.dumps({"rows": list(range(1000)), "text": "x" * 5000}))
    assert len(shown.lines) == masking.MAX_LINES
    assert shown.left_out == 1005 - masking.MAX_LINES
    assert "more characters" in _flat(json.dumps({"text": "x" * 5000}))


def test_what_is_not_json_is_one_masked_text() -> None:
    assert "hunter2" not in _flat(b"\xffhttps://bob:hunter2@host")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(_json)
def test_without_secrets_the_lines_are_the_json_itself(value: object) -> None:
    text = json.dumps(value)
    shown = masking.show(text)
    if not shown.masked:
        assert json.loads(_flat(text)) == value
