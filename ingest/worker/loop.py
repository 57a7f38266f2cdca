"""An event loop in a thread of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import connections

#: Threads for what handlers run with `asyncio.to_thread`.
THREADS: Final = 32
_THREADS_NAME: Final = "slots-handler"


class LoopThread:
    """Runs from the start until `close`. Its thread ends with the process, whatever a handler does there."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=_THREADS_NAME)
        self.loop.set_default_executor(self._threads)
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
        """Cancel what still runs and end the loop, within a few times `seconds`. False: a thread of it goes on."""
        closing = asyncio.run_coroutine_threadsafe(self._close(seconds / 2), self.loop)
        try:
            closing.result(timeout=seconds)
        except TimeoutError:
            return False  # a handler holds the loop, or the thread for queries
        self.call(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + seconds
        while any(thread.name.startswith(_THREADS_NAME) for thread in threading.enumerate()):
            if time.monotonic() > until:
                return False  # what a handler called there knows nothing of its having been cancelled
            time.sleep(0.01)
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
