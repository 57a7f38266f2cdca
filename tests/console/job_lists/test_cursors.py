"""Cursors of job lists come back from anywhere: what is none of ours is refused, never an error of ours."""

import base64
import contextlib
import json

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.reading.cursors import BadCursor
from queueadmin.console import job_lists
from queueadmin.console.filters import parse
from queueadmin.console.job_lists import cursors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def made(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def test_what_is_written_is_read_again() -> None:
    for stood in ({}, {"high": (1.5, "a"), "low apple": (2.0, "b|c")}):
        for sealed in (False, True):
            came_to = cursors.Reached("failed@redis", stood, 6_000)
            assert cursors.read(cursors.write(came_to, sealed=sealed), sealed=sealed) == came_to


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "é", "%00", "==", "A" * 10_000),
        *(
            made(content)
            for content in ([], {}, {"a": 1}, {"a|b": [1, "x"], "c|d": [1, "x"]}, {"nowhere@redis|a": [0, ""]})
        ),
        made({"finished@rows|alert": [1e300, "x"]}),
        made({"finished@rows|alert": [0, "a\0b"]}),
        made({"failed@redis|#": [-1, ""]}),
        made({"failed@redis|#": [1e300, ""]}),
        made({"failed@spool|spool": [-1e300, "x"]}),
        *(
            made({"spooled@spool|spool": [rank, turn]})
            for rank, turn in ((9, "1"), (-1, "1"), (0, "x"), (0, "٣"), (0, "9" * 19))
        ),
    ],
)
def test_what_is_none_of_ours_is_refused(empty_redis: redis.Redis, cursor: str) -> None:
    with pytest.raises(BadCursor):
        job_lists.page(parse(""), cursor=cursor)
    with pytest.raises(BadCursor):
        job_lists.page(parse(""), cursor=cursor, tenant="acme")


def test_a_cursor_of_another_list_is_refused(empty_redis: redis.Redis) -> None:
    with pytest.raises(BadCursor, match="another list"):
        job_lists.page(parse("state:failed"), cursor=made({"queued@redis|high": [0, "x"]}))


_SEGMENTS = (
    "started@redis",
    "queued@redis",
    "failed@redis",
    "failed@spool",
    "spooled@spool",
    "trash@spool",
    "finished@rows",
)


@given(
    st.sampled_from(_SEGMENTS),
    st.sampled_from(("high", "spool", "alert", "high bucket", "")),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_place_is_gone_on_from_or_refused(
    empty_redis: redis.Redis, segment: str, name: str, score: float, member: str
) -> None:
    with contextlib.suppress(BadCursor):
        job_lists.page(parse(""), cursor=made({f"{segment}|{name}": [score, member]}))
