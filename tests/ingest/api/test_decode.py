"""The parser against an oracle: what is let in must mean the same to every JSON reader."""

import contextlib
import json
import random
from typing import Any

import pytest

from ingest.api import decode, limits
from ingest.api.decode import Refused, parse, split_json
from ingest.api.problems import ProblemError

#: Pieces that random bodies are made of: whatever JSON is sensitive to.
PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b'\\"', b" ", b"\n"),
    *(b"\\u0000", b"\\ud83d", b"\\ude00", b"\\u0061"),
    *(b'"a"', b'"a":', b'"b" :', b'"a":1', b'{"a":1}', b'{"a":{"b":[]}}', b'"x\\\\"', b'"\\\\\\""', b"\x00", b"\xff"),
    *(b"\xc3\xa9", b"\xed\xa0\x80", b"1", b"-0", b"01", b"1e5", b"1e999", b"NaN", b"null", b"true", b"9" * 30, b"'"),
]  # fmt: skip


def oracle(raw: bytes) -> Any:
    """What the standard library reads, made strict; ValueError for what must be refused."""

    def no_constant(name: str) -> None:
        raise ValueError(name)

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) != len(found):
            raise ValueError("twice")
        return dict(found)

    value = json.loads(raw.decode(), parse_constant=no_constant, object_pairs_hook=pairs)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()  # lone surrogates
    if "\\u0000" in json.dumps(value).replace("\\\\", ""):
        raise ValueError("NUL")
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def parsed(raw: bytes) -> Any:
    try:
        return parse(raw)
    except Refused as refused:
        return None if 400 <= refused.problem.status < 500 else refused


def expected(raw: bytes) -> Any:
    try:
        return oracle(raw)
    except (ValueError, RecursionError):
        return None


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_are_read_as_the_strict_oracle_reads_them(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(1000):
        raw = b"".join(chance.choices(PIECES, k=chance.randint(1, 12)))
        wrapped = b'{"k":' + raw + b"}"
        assert parsed(raw) == expected(raw), raw
        assert parsed(wrapped) == expected(wrapped), wrapped


@pytest.mark.parametrize("seed", range(10))
def test_arrays_are_split_as_json_reads_them(seed: int) -> None:
    """And when one item is not JSON, its neighbours come out as they went in."""
    chance = random.Random(seed)
    for _ in range(300):
        good = [json.dumps(_event(chance)).encode() for _ in range(chance.randint(1, 6))]
        space = chance.choice([b"", b" ", b"\n\t"])
        joined = b"[" + (space + b"," + space).join(good) + b"]"
        items, many = split_json(space + joined + space)
        assert (many, [item.raw for item in items]) == (True, good)

        spoilt = list(good)
        place = chance.randrange(len(good))
        spoilt[place] = chance.choice([b"NaN", b'{"a":NaN}', b"\xff", b'"\\ud800"', b"{'a'}", b"01", b"nonsense"])
        items, _ = split_json(b"[" + (space + b"," + space).join(spoilt) + b"]")
        assert [item.raw for item in items] == spoilt


def _event(chance: random.Random) -> dict[str, Any]:
    texts = ['"', "\\", "[{,:}]", '\\"', "é", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), ""]
    return {
        chance.choice(texts) + str(number): chance.choice(
            [1, -2.5, None, True, chance.choice(texts), [1, [2]], {"a": {}}]
        )
        for number in range(chance.randint(0, 4))
    }


@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b"[1",
        b"[1,",
        b"[1,,2]",
        b"[,]",
        b"[1,]",
        b"[1]]",
        b"[1}",
        b'["',
        b'[{"a":1]}',
        b"[1] x",
        b"[[]",
        b'["a\\"]',
    ],
)
def test_an_array_that_is_broken_is_refused_whole(body: bytes) -> None:
    with pytest.raises(ProblemError) as refused:
        split_json(body)
    assert refused.value.problem.code == "malformed_json"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'["' + b'\\"' * 200_000,
        b"[" + b'"' * 200_001,
        b"[" + b"{" * 200_000 + b"}" * 200_000,
        b"[NaN" + b",[]" * 900 + b"]",
        b'{"a":"' + b'\\"' * 100_000,
        b'{"a":' + b'["' * 60_000,
        b'{"' + b'":{"' * 50_000,
    ],
)
def test_hostile_bodies_end_in_an_answer(body: bytes) -> None:
    """Each of these takes quadratic time or too deep a stack in a naive reader; the suite's time limit judges."""
    with contextlib.suppress(ProblemError):
        for item in split_json(body)[0]:
            parsed(item.raw)


def test_limits_hold_exactly() -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    def keyed(keys: int) -> bytes:
        return b"{" + b",".join(b'"k%d":":"' % number for number in range(keys)) + b"}"

    assert parsed(nested(limits.DEPTH)) is not None
    assert parsed(nested(limits.DEPTH + 1)) is None
    assert parsed(keyed(limits.KEYS)) is not None
    assert parsed(keyed(limits.KEYS + 1)) is None
    assert parse(b'{"a":' + b"9" * 4299 + b"}")["a"] == int("9" * 4299)
    assert parsed(b'{"a":1,"a":' + b"9" * 4300 + b"}") is None


def test_ndjson_keeps_the_numbers_of_its_lines() -> None:
    items = decode.split_lines(b'\n{"a":1}\r\n \t\n\n{"b":2}')

    assert [(item.line, item.raw) for item in items] == [(2, b'{"a":1}'), (5, b'{"b":2}')]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"a":1,"alerts" : [1,{"x":NaN}],"b":2}', b'[1,{"x":NaN}]'),
        (b'{"x":{"alerts":[1]},"alerts":[2]}', b"[2]"),
        (b'{"alerts":"[1]","y":"\\"alerts\\":[3]"}', None),
        (b'{"y":"alerts","alerts":[[],{"alerts":[4]}]}', b'[[],{"alerts":[4]}]'),
        (b'{"alerts":[1', None),
        (b"[1]", None),
        (b"", None),
    ],
)
def test_an_array_inside_an_object_is_found_though_its_items_are_no_json(body: bytes, found: bytes | None) -> None:
    assert decode.array_of(body, "alerts") == found
