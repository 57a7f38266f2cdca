"""How much one request may bring. Every limit has a name, which the answer gives with its number."""

from typing import Final

from ingest.api.problems import Problem, ProblemError
from ingest.queue.payload import ITEM_BYTES as ITEM_BYTES

#: Events in one request.
ITEMS: Final = 1_000
#: Points in one request.
POINTS: Final = 10_000
#: Bytes of one request's body.
WIRE_BYTES: Final = 5 * 1024 * 1024
#: Bytes of one body after it is unpacked, and how many times larger than on the wire it may become. Below
#: RATIO_FROM bytes nobody is harmed, and a few like alerts do compress so well.
INFLATED_BYTES: Final = 20 * 1024 * 1024
RATIO: Final = 100
RATIO_FROM: Final = 256 * 1024
#: Objects and arrays inside each other, the event itself included.
DEPTH: Final = 32
#: Keys in all objects of one event together.
KEYS: Final = 2_000
#: Bytes of bodies that one process holds at a time.
IN_FLIGHT_BYTES: Final = 128 * 1024 * 1024
#: Seconds that a sender may take for its request.
BODY_SECONDS: Final = 30.0


def too_large(code: str, what: str, limit: str, value: int) -> Problem:
    """413 that names the limit and its number."""
    return Problem(413, code, "Too large", what, limit=limit, limit_value=value)


def body_too_large() -> ProblemError:
    return ProblemError(
        too_large("wire_too_large", f"The body is larger than {WIRE_BYTES:,} bytes.", "wire_bytes", WIRE_BYTES)
    )


def inflated_too_large() -> ProblemError:
    return ProblemError(
        too_large(
            "inflated_too_large",
            f"The body is larger than {INFLATED_BYTES:,} bytes when it is unpacked.",
            "inflated_bytes",
            INFLATED_BYTES,
        )
    )


def ratio_too_large() -> ProblemError:
    detail = f"The body becomes more than {RATIO} times as large when it is unpacked."
    return ProblemError(too_large("ratio_too_large", detail, "inflation_ratio", RATIO))


def too_slow() -> ProblemError:
    return ProblemError(
        Problem(
            408,
            "body_too_slow",
            "Too slow",
            f"The request did not arrive within {BODY_SECONDS:g} s.",
            retryable=True,
            limit="body_seconds",
            limit_value=BODY_SECONDS,
        )
    )


def item_too_large(most: int) -> Problem:
    return too_large("item_too_large", f"The event is larger than {most:,} bytes.", "item_bytes", most)


def too_many_items() -> ProblemError:
    return ProblemError(too_large("batch_too_many", f"One request may bring {ITEMS:,} events.", "items", ITEMS))


def too_many_points() -> ProblemError:
    return ProblemError(too_large("batch_too_many", f"One request may bring {POINTS:,} points.", "points", POINTS))


def too_deep() -> Problem:
    return too_large("too_deep", f"The event is nested more than {DEPTH} levels deep.", "depth", DEPTH)


def too_many_keys() -> Problem:
    return too_large("too_many_keys", f"The event has more than {KEYS:,} keys.", "keys", KEYS)


class InFlight:
    """The bytes of bodies that this process holds; more than the limit is refused with 503."""

    def __init__(self, limit: int = IN_FLIGHT_BYTES) -> None:
        self._limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Raises ProblemError 503; nothing is taken then."""
        if self.held + size > self._limit:
            raise ProblemError(
                Problem(
                    503,
                    "overloaded",
                    "Too much at once",
                    f"The bodies being taken in would exceed {self._limit:,} bytes.",
                    retryable=True,
                    headers={"Retry-After": "1"},
                    limit="in_flight_bytes",
                    limit_value=self._limit,
                )
            )
        self.held += size

    def give_back(self, size: int) -> None:
        self.held -= size
