"""An event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import connections

#: Threads for what handlers run with `asyncio.to_thread`.
THREADS: Final = 32


class LoopThread:
    """Runs from the start until `close`. Its thread ends with the process, whatever a handler does there."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._handlers_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="slots-handler")
        self.loop.set_default_executor(self._handlers_threads)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="slots", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call it on the loop, soon; from any thread."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task; on the loop only."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)
        return task

    def close(self, seconds: float) -> bool:
        """Cancel what still runs and end the loop, within about twice `seconds`. False: something holds it."""
        closing = asyncio.run_coroutine_threadsafe(self._close(seconds / 2), self.loop)
        with suppress(TimeoutError):
            closing.result(timeout=seconds)
        self.call(self.loop.stop)
        self._thread.join(timeout=seconds)
        self._handlers_threads.shutdown(wait=False, cancel_futures=True)
        if self._thread.is_alive():
            return False
        self.loop.close()
        return True

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _close(self, seconds: float) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        # Of the one thread in which Django's async methods, and all that is thread-sensitive, run.
        await sync_to_async(connections.close_all)()
        await self.loop.shutdown_asyncgens()
