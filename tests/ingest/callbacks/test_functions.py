"""Functions of ours as callbacks: only those of the allow-list, which is looked at before anything is imported."""

import asyncio
import sys
import threading
from typing import Any

import pytest

from ingest.callbacks import CallbackRefused, functions

told: list[tuple[dict[str, Any], str]] = []
HERE = __name__


def take(notice: dict[str, Any]) -> None:
    told.append((notice, threading.current_thread().name))


async def take_async(notice: dict[str, Any]) -> None:
    told.append((notice, threading.current_thread().name))


def fail(notice: dict[str, Any]) -> None:
    raise ZeroDivisionError


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    told.clear()


def call(path: str) -> None:
    asyncio.run(functions.call(path, {"event": "finished"}))


def test_a_function_is_called_beside_the_event_loop_and_a_coroutine_on_it(settings: Any) -> None:
    settings.CALLBACKS = (f"{HERE}.take", f"{HERE}.take_async")
    call(f"{HERE}.take")
    call(f"{HERE}.take_async")
    (first, thread), (second, loop) = told
    assert first == second == {"event": "finished"}
    assert loop == threading.current_thread().name != thread


def test_what_is_not_allowed_is_not_even_imported(settings: Any) -> None:
    """D11, S10: a job's hash that names os.system runs nothing."""
    settings.CALLBACKS = (f"{HERE}.take",)
    sys.modules.pop("wave", None)
    for path in ("os.system", "wave.open", f"{HERE}.take_async"):
        with pytest.raises(CallbackRefused, match="is not in CALLBACKS"):
            call(path)
    assert "wave" not in sys.modules
    assert told == []


def test_one_that_is_not_there_is_refused(settings: Any) -> None:
    settings.CALLBACKS = (f"{HERE}.missing", "no_such_module.function")
    for path in settings.CALLBACKS:
        with pytest.raises(CallbackRefused, match="cannot be imported"):
            call(path)


def test_what_it_raises_is_raised(settings: Any) -> None:
    settings.CALLBACKS = (f"{HERE}.fail",)
    with pytest.raises(ZeroDivisionError):
        call(f"{HERE}.fail")
