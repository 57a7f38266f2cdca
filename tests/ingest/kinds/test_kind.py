"""What a kind is: how its handler makes it run, and that other apps may register theirs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from ingest.kinds import KINDS, Context, Kind, register
from ingest.queue.payload import Payload


def validate(event: Mapping[str, Any]) -> None:
    """Takes everything."""


def in_batches(events: Sequence[Payload]) -> None:
    """Done."""


def effect(payload: Payload, context: Context) -> None:
    """Done."""


async def async_effect(payload: Payload, context: Context) -> None:
    """Done."""


class Sender:
    async def __call__(self, payload: Payload, context: Context) -> None:
        """Done."""


def kind(handler: Any = effect, **fields: Any) -> Kind:
    return Kind(**{"name": "mail", "validate": validate, "handler": handler, "batch": False, **fields})


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = dict(KINDS)
    yield
    KINDS.clear()
    KINDS.update(before)


@pytest.mark.parametrize(
    ("made", "mode", "kept"),
    [
        (kind(in_batches, batch=True), "", 0),
        (kind(effect), "single", 86_400),
        (kind(async_effect), "async", 86_400),
        (kind(Sender()), "async", 86_400),
        (kind(effect, isolation="process"), "process", 86_400),
        (kind(async_effect, isolation="process", result_ttl=0), "process", 0),
    ],
)
def test_the_handler_says_how_it_is_run_and_how_long_its_result_is_kept(made: Kind, mode: str, kept: int) -> None:
    assert (made.mode, made.result_ttl) == (mode, kept)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Mail"},
        {"name": "a" * 17},
        {"name": "1st"},
        {"batch": True, "handler": async_effect},
        {"batch": True, "isolation": "process"},
        {"concurrency": 0},
        {"timeout": 0},
    ],
)
def test_a_kind_that_cannot_be_run_is_refused_where_it_is_made(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="kind"):
        kind(**fields)


def test_another_app_registers_its_kind_and_may_do_so_twice() -> None:
    assert register(kind()) is not None
    register(kind())
    assert KINDS["mail"] == kind()
    with pytest.raises(ValueError, match="another kind 'mail'"):
        register(kind(timeout=5))
    with pytest.raises(ValueError, match="another kind 'alert'"):
        register(kind(name="alert"))
