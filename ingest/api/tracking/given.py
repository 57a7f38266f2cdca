"""What every format is read into: points as JSON, in their order, and what could not be read."""

from typing import Any

import msgspec

from ingest.api.problems import Problem, ProblemError


class Given(msgspec.Struct, frozen=True, gc=False):
    """One point of a body, not checked yet."""

    #: As it was sent where that was JSON.
    raw: bytes
    point: dict[str, Any]


def given(point: dict[str, Any]) -> Given:
    return Given(msgspec.json.encode(point), point)


def unreadable(detail: str) -> ProblemError:
    """The file as a whole; nothing of it was stored."""
    return ProblemError(Problem(400, "malformed_file", "Not a file of points", f"{detail} Nothing was stored."))


def missing(detail: str) -> ProblemError:
    """What every file, or form, must have."""
    return ProblemError(Problem(422, "missing_field", "Not a file of points", f"{detail} Nothing was stored."))
