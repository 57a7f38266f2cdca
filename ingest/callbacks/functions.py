"""Calling a function of ours that the settings allow as a callback."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from ingest.callbacks import CallbackRefused


async def call(path: str, notice: dict[str, Any]) -> None:
    """Call the function, sync or async, with what is told. Raises CallbackRefused, and whatever the function raises."""
    # First of all: the name is text in Redis, and importing runs code.
    if path not in settings.CALLBACKS:
        raise CallbackRefused(f"the function {path[:200]} is not in CALLBACKS")
    try:
        function = import_string(path)
    except ImportError as error:
        raise CallbackRefused(f"the function {path} cannot be imported: {error}") from None
    if inspect.iscoroutinefunction(function):
        await function(notice)
    else:
        await asyncio.to_thread(_run, function, notice)


def _run(function: Callable[[dict[str, Any]], object], notice: dict[str, Any]) -> None:
    try:
        function(notice)
    finally:
        connections.close_all()  # this thread's own
