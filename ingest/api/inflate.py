"""Compressed bodies: gzip and zstd, unpacked a piece at a time, so that a bomb costs no memory.

Both unpackers have the form of the standard library's (`max_length`, `eof`, `unused_data`), zstd by its
backport; so one loop bounds both.
"""

import zlib
from collections.abc import Callable
from typing import Any, Final

from backports import zstd

from ingest.api import limits
from ingest.api.problems import Problem, ProblemError

#: Unpacked at a time.
PIECE: Final = 256 * 1024
#: 8 MiB, what RFC 8878 asks every decoder for; a frame that wants more could claim gigabytes.
_WINDOW_LOG: Final = 23

_UNPACKERS: Final[dict[str, Callable[[], Any]]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "x-gzip": lambda: zlib.decompressobj(wbits=31),
    "zstd": lambda: zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}),
}


def check_encoding(header: str) -> str:
    """The encoding that Content-Encoding names, "" for none. Raises ProblemError 415."""
    encoding = header.strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding in _UNPACKERS:
        return encoding
    raise ProblemError(
        Problem(
            415,
            "unsupported_encoding",
            "Encoding not supported",
            f"Content-Encoding may be gzip or zstd, once, not {encoding[:100]!r}.",
            headers={"Accept-Encoding": "gzip, zstd"},
            field="Content-Encoding",
        )
    )


def inflate(encoding: str, body: bytes) -> bytes:
    """The body as it was before it was compressed; `encoding` is what `check_encoding` gave.

    Raises ProblemError: 413 past INFLATED_BYTES or RATIO, 400 for a stream that is broken, cut off or
    followed by anything.
    """
    if not encoding:
        return body
    unpacker = _UNPACKERS[encoding]()
    pieces: list[bytes] = []
    size = 0
    given = body
    try:
        while not unpacker.eof:
            piece = unpacker.decompress(given, PIECE)
            given = unpacker.unconsumed_tail if hasattr(unpacker, "unconsumed_tail") else b""
            if not piece and not unpacker.eof and not given:
                raise _broken("it ends too early")
            size += len(piece)
            if size > limits.INFLATED_BYTES:
                raise limits.inflated_too_large()
            if size > limits.RATIO_FROM and size > limits.RATIO * len(body):
                raise limits.ratio_too_large()
            pieces.append(piece)
    except (zlib.error, zstd.ZstdError):
        raise _broken("it is not what Content-Encoding says") from None
    if unpacker.unused_data:
        raise _broken("something follows its end")
    return b"".join(pieces)


def _broken(why: str) -> ProblemError:
    return ProblemError(
        Problem(
            400,
            "bad_encoding",
            "Broken compression",
            f"The compressed body cannot be read: {why}. Nothing was stored.",
            field="Content-Encoding",
        )
    )
