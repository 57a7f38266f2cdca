"""Compressed bodies: gzip and zstd, and nothing that costs memory (contract rules 3 and 6; S12)."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import redis
from backports import zstd

from ingest.api import inflate, limits
from ingest.api.intake import ALERT, EVENTS
from ingest.api.problems import ProblemError
from tests.ingest.api.conftest import Post, stored_ids

COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
LINES = b"\n".join(b'{"id":"e%d","title":"disk %d","n":12345678901234567890}' % (n, n) for n in range(300))


def refused(encoding: str, body: bytes) -> tuple[int, str]:
    with pytest.raises(ProblemError) as caught:
        inflate.inflate(encoding, body)
    return caught.value.problem.status, caught.value.problem.code


@pytest.mark.parametrize("encoding", COMPRESS)
def test_what_was_compressed_comes_in(post: Post, empty_redis: redis.Redis, encoding: str) -> None:
    answer = post(
        EVENTS.path,
        COMPRESS[encoding](LINES),
        headers={"content-encoding": encoding.upper()},
        content_type="application/x-ndjson",
    )
    assert (answer.status, answer.json["accepted"]) == (202, 300)
    assert len(stored_ids(empty_redis)) == 300
    answer = post(ALERT.path, COMPRESS[encoding](b'{"title":"x"}'), headers={"content-encoding": encoding})
    assert answer.status == 202


@pytest.mark.parametrize("encoding", COMPRESS)
@pytest.mark.parametrize("cut", [1, 10, 50, -8, -1])
def test_a_broken_stream_stores_nothing(post: Post, empty_redis: redis.Redis, encoding: str, cut: int) -> None:
    body = COMPRESS[encoding](LINES)[:cut]
    answer = post(EVENTS.path, body, headers={"content-encoding": encoding}, content_type="application/x-ndjson")
    assert (answer.status, answer.json["code"]) == (400, "bad_encoding")
    assert answer.json["field"] == "Content-Encoding"
    assert stored_ids(empty_redis) == set()


@pytest.mark.parametrize("encoding", COMPRESS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body + b"x",
        lambda body: body + body,
        lambda body: b"",
        lambda body: b"{}",
        lambda body: body[:20] + bytes([body[20] ^ 255]) + body[21:],
        lambda body: body[:-5] + bytes([body[-5] ^ 255]) + body[-4:],
    ],
    ids=["garbage behind", "a second stream", "empty", "not compressed", "a bit in it", "its checksum"],
)
def test_a_damaged_stream_is_told(encoding: str, damage: Callable[[bytes], bytes]) -> None:
    # A zstd frame has no checksum unless its writer adds one.
    packed = COMPRESS[encoding](LINES) if encoding == "gzip" else zstd.compress(LINES, options=_CHECKSUM)
    assert refused(encoding, damage(packed)) == (400, "bad_encoding")


_CHECKSUM = {zstd.CompressionParameter.checksum_flag: 1}


@pytest.mark.parametrize("named", ["br", "deflate", "gzip, gzip", "gzip,zstd", "compress"])
def test_other_encodings_are_named(post: Post, named: str) -> None:
    answer = post(EVENTS.path, b"x", headers={"content-encoding": named})
    assert (answer.status, answer.json["code"]) == (415, "unsupported_encoding")
    assert answer.headers["accept-encoding"] == "gzip, zstd"


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_bomb_is_stopped_early_and_memory_stays_flat(encoding: str) -> None:
    bomb = COMPRESS[encoding](b"\0" * 200_000_000)
    tracemalloc.start()
    assert refused(encoding, bomb) in [(413, "ratio_too_large"), (413, "inflated_too_large")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < limits.INFLATED_BYTES + 5_000_000


@pytest.mark.parametrize("encoding", COMPRESS)
def test_both_caps_are_named_with_their_number(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INFLATED_BYTES", 10_000)
    with pytest.raises(ProblemError) as caught:
        inflate.inflate(encoding, COMPRESS[encoding](LINES))
    assert caught.value.problem.extra == {"limit": "inflated_bytes", "limit_value": 10_000}
    monkeypatch.setattr(limits, "INFLATED_BYTES", 10**9)
    with pytest.raises(ProblemError) as caught:
        inflate.inflate(encoding, COMPRESS[encoding](b" " * 5_000_000))
    assert caught.value.problem.extra == {"limit": "inflation_ratio", "limit_value": limits.RATIO}


def test_a_frame_that_wants_gigabytes_of_window_is_refused() -> None:
    huge = zstd.compress(b"x" * 300, options={zstd.CompressionParameter.window_log: 31})
    frame = bytearray(huge)
    frame[4] = 0x00  # no single segment: a window descriptor follows
    frame[5] = 21 << 3  # 2**31 bytes
    assert refused("zstd", bytes(frame))[0] == 400


@pytest.mark.parametrize("wbits", [15, -15])
def test_zlib_and_raw_deflate_are_not_gzip(wbits: int) -> None:
    packer = zlib.compressobj(wbits=wbits)
    assert refused("gzip", packer.compress(b"{}") + packer.flush()) == (400, "bad_encoding")
