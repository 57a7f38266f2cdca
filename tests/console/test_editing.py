"""An event as text to edit: what is covered survives, numbers stay exact, and nothing else is guessed (X6)."""

import json

import pytest

from queueadmin.console import editing
from queueadmin.console.editing import EditError, difference, editable, edited

BODY = (
    b'{"title":"t","token":"s3cret","pin":{"password":[1234,"s3cret-2"]},"big":18446744073709551615,"f":1.10,'
    b'"url":"https://u:s3cret-3@x/?a=1","empty":{},"list":[],"no":null,"yes":true,"key":""}'
)


def test_the_text_has_no_credential_and_the_numbers_as_they_were_written() -> None:
    text = editable(BODY)
    assert "s3cret" not in text
    assert "1234" not in text
    assert '"big": 18446744073709551615' in text
    assert '"f": 1.10' in text


def test_what_is_left_alone_comes_back_byte_for_byte() -> None:
    assert edited(editable(BODY), BODY) == BODY


def test_x6_masked_values_survive_an_edit() -> None:
    text = editable(BODY).replace('"t"', '"fixed"').replace("1.10", "1.20")
    after = json.loads(edited(text, BODY))
    assert after == json.loads(BODY) | {"title": "fixed", "f": 1.2}


def test_a_masked_value_can_be_written_anew_or_taken_out() -> None:
    event = json.loads(editable(BODY))
    del event["url"]
    event["token"] = "new"
    after = json.loads(edited(json.dumps(event), BODY))
    assert (after["token"], "url" in after, after["pin"]) == ("new", False, {"password": [1234, "s3cret-2"]})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"other": "•••"}, "other"),
        ({"url": "https://•••@y/?a=1"}, "url"),
        ({"title": "•••"}, "title"),
        ({"pin": {"password": ["•••", "•••", "•••"]}}, "pin.password"),
        ({"pin": {"pass": "•••"}}, "pin.pass"),
    ],
)
def test_a_cover_that_nothing_is_known_under_is_refused(change: dict[str, object], path: str) -> None:
    text = json.dumps(json.loads(editable(BODY)) | change, ensure_ascii=False)
    with pytest.raises(EditError, match=path.replace(".", r"\.")):
        edited(text, BODY)


def test_items_of_a_list_are_found_again_when_others_come_or_go() -> None:
    body = b'{"hooks":[{"name":"a","token":"s-a"},{"name":"b","token":"s-b"},{"name":"c","token":"s-c"}]}'
    event = json.loads(editable(body))
    event["hooks"] = [event["hooks"][2], {"name": "d", "token": "new"}]
    after = json.loads(edited(json.dumps(event), body))
    assert after["hooks"] == [{"name": "c", "token": "s-c"}, {"name": "d", "token": "new"}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        '"text"',
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":' * 5000,
        '{"a":1',
        "{'a':1}",
        '{"a":"\\ud800"}',
    ],
)
def test_what_is_no_event_is_refused_in_words(text: str) -> None:
    with pytest.raises(EditError) as refused:
        edited(text, BODY)
    assert str(refused.value).endswith(".")


def test_the_difference_shows_changed_lines_without_credentials() -> None:
    after = edited(editable(BODY).replace('"t"', '"fixed"').replace("•••@x", "v:s3cret-9@x"), BODY)
    told = difference(BODY, after)
    assert (told.changed, told.covered) == (2, 1)
    assert '-"title": "t",' in told.summary
    assert '+"title": "fixed",' in told.summary
    assert "s3cret" not in told.summary
    assert [line.sign for line in told.lines][:4] == [" ", "-", "+", " "]


def test_a_change_behind_a_mask_counts_though_no_line_shows_it() -> None:
    told = difference(b'{"token":"abcdef"}', b'{"token":"ghijkl"}')
    assert (told.changed, told.covered, told.lines) == (1, 1, ())
    assert difference(b'{"a": 1}', b'{"a":1}').changed == 0


def test_unchanged_lines_far_away_are_left_out() -> None:
    body = json.dumps({f"k{n}": n for n in range(100)}).encode()
    told = difference(body, body.replace(b"50", b"5000", 1))
    assert 0 < len(told.lines) < 12
    assert told.lines[0].sign == told.lines[-1].sign == "…"


def test_a_long_list_of_one_number_is_compared_at_once() -> None:
    body = b'{"a":[' + b",".join([b"1"] * 15_000) + b"]}"
    assert difference(body, body[:-2] + b",2]}").changed


def test_an_event_that_is_no_json_cannot_be_edited() -> None:
    for body in (b"\xff", b"{"):
        with pytest.raises(editing.EditError):
            editable(body)
