"""Whatever stands in a vendor's body, in whatever place and of whatever type: an answer, and never a 500."""

import copy
import json
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.accept import Incoming
from ingest.api import intake
from ingest.api.intake import Head
from ingest.api.keys import KEYLESS
from ingest.api.problems import ProblemError
from ingest.api.schema import Rejected
from tests.ingest.api.conftest import Post
from tests.ingest.api.hooks.conftest import NAMES, endpoint, parsed

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, -1, 0, 1e308, -0.0, 253402300800, 10**16, 1795766400123456]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["", " ", "\n", "\u2028", "{", "[1]", "0", "-1", "1e999", "nan", "inf", "²", "x" * 3000, "{}"]),
    st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-11-27T08:00:00", "+0000", "a+0000"]),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.just([{"name": {}, "value": []}]),
    st.just({"a": {"b": {"c": []}}}),
)


def places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that stands in a body."""
    found = [before]
    if isinstance(value, dict):
        found += [path for name in value for path in places(value[name], (*before, name))]
    elif isinstance(value, list):
        found += [path for number in range(len(value)) for path in places(value[number], (*before, number))]
    return found


@st.composite
def changed(draw: st.DrawFn, name: str) -> Any:
    """A fixture with some of its values replaced, taken out, or put somewhere else."""
    value = copy.deepcopy(parsed(name))
    if name.startswith("cloudwatch") and draw(st.booleans()) and value["Message"].startswith("{"):
        inside = json.loads(value["Message"])
        value["Message"] = json.dumps(_changed(draw, inside))
        return value
    return _changed(draw, value)


def _changed(draw: st.DrawFn, value: Any) -> Any:
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(places(value)))
        if not path:
            if draw(st.integers(0, 9)) == 0:
                return copy.deepcopy(draw(ODD))
            continue
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        if draw(st.integers(0, 3)) == 0 and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = copy.deepcopy(draw(ODD))
    return value


def judged(name: str, body: Any) -> None:
    refused = None
    try:
        taken = intake.read_body(endpoint(name), Head("json", "", {}), json.dumps(body).encode(), KEYLESS)
    except ProblemError as error:
        refused = error.problem
    if refused is not None:
        assert 400 <= refused.status < 500
        return
    for item in taken.items:
        if isinstance(item, Rejected):
            assert 400 <= item.problem.status < 500
            assert len(item.problem.detail) < 1000
        else:
            assert isinstance(item, Incoming)
            json.loads(item.body)


BODIES = st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), changed(name)))


@settings(max_examples=600, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(sent=BODIES)
def test_wrong_types_everywhere(sent: tuple[str, Any]) -> None:
    judged(*sent)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(max_examples=50_000, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(sent=BODIES)
def test_wrong_types_everywhere_at_length(sent: tuple[str, Any]) -> None:
    judged(*sent)


@pytest.mark.parametrize("name", NAMES)
def test_each_value_as_each_type(name: str) -> None:
    """Exhaustively, one at a time."""
    fixture = parsed(name)
    for path in places(fixture)[1:]:
        for odd in (None, True, 7, -1.5, "", "x", [], [None], {}, {"a": {}}, 10**25):
            value = copy.deepcopy(fixture)
            holder = value
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = odd
            judged(name, value)


def test_both_faces_answer_it(post: Post, empty_redis: redis.Redis) -> None:
    for name in NAMES:
        if name == "cloudwatch-subscription":
            continue
        for odd in (None, [], {}, "x", 7, {"alerts": [None, {}]}, {"Type": "Notification", "Message": "{"}):
            answer = post(endpoint(name).path, odd)
            assert answer.status < 500, (name, odd, answer.body)
            if answer.body:
                json.loads(answer.body)
