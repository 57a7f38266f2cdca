"""How full Redis' memory and the disk are, and so which priorities are shed: low first, critical never.

Read at most once a second, in a thread beside the requests, and only while events come.
"""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

import redis
from django.conf import settings

from ingest.priorities import Priority
from ingest.queue.connections import ACCEPTANCE_TIMEOUT

#: Shed in this order, each from its step on.
ORDER: Final = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)
#: Percent of Redis' memory limit that are used; without a limit, of the memory of its machine.
MEMORY_STEPS: Final = (75.0, 85.0, 95.0)
#: Percent of the home's disk that are free, if it is less than so many GiB as well: 9 % of a large disk is plenty.
DISK_STEPS: Final = (10.0, 5.0, 2.5)
DISK_GIB_STEPS: Final = (20, 10, 5)

EVERY_SECONDS: Final = 1.0
#: An older reading sheds nothing: no events came, or Redis does not answer.
STALE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a priority is shed."""

    limit: Literal["redis_memory", "free_disk"]
    #: Percent: the step that was passed, and what was read.
    step: float
    value: float

    @property
    def sentence(self) -> str:
        if self.limit == "redis_memory":
            return f"Redis' memory is {self.value:.1f} % used, of {self.step:g} % from which this priority is refused"
        return f"{self.value:.1f} % of the disk are free, under the {self.step:g} % that this priority needs"


Shed = dict[Priority, Cause]


class Watch:
    """The last reading; a look at it that finds it old has a new one taken, and does not wait for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pressure")
        self._lock = threading.Lock()
        self._reads = False
        self._shed: Shed = {}
        self._read_at = float("-inf")

    def shed(self) -> Shed:
        """The priorities that are shed now, and why."""
        age = time.monotonic() - self._read_at
        if age >= EVERY_SECONDS:
            with self._lock:
                if not self._reads:
                    self._reads = True
                    self._thread.submit(self._read)
        return self._shed if age < STALE_SECONDS else {}

    def settle(self) -> None:
        """Wait for the reading that is being taken."""
        self._thread.submit(int).result()

    def forget(self) -> None:
        self.settle()
        self._shed, self._read_at = {}, float("-inf")

    def _read(self) -> None:
        try:
            self._shed = shed_at(_memory_used(), *_disk_free())
            self._read_at = time.monotonic()
        finally:
            self._reads = False


watch: Final = Watch()


def shed_at(memory_used: float | None, disk_free: float | None, disk_gib: float) -> Shed:
    """By percent used and free; None: not known."""
    causes: Shed = {}
    for priority, memory, disk, gib in zip(ORDER, MEMORY_STEPS, DISK_STEPS, DISK_GIB_STEPS, strict=True):
        if memory_used is not None and memory_used >= memory:
            causes[priority] = Cause("redis_memory", memory, memory_used)
        elif disk_free is not None and disk_free < disk and disk_gib < gib:
            causes[priority] = Cause("free_disk", disk, disk_free)
    return causes


def _memory_used() -> float | None:
    if not settings.REDIS:
        return None
    try:
        # Its own: this thread may run while the shared clients are being closed.
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=ACCEPTANCE_TIMEOUT, socket_connect_timeout=ACCEPTANCE_TIMEOUT
        ) as client:
            info = client.info("memory")
    except (redis.RedisError, OSError):
        return None
    limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0))
    return 100 * int(info["used_memory"]) / limit if limit else None


def _disk_free() -> tuple[float | None, float]:
    try:
        disk = shutil.disk_usage(settings.QUEUEADMIN_HOME)
    except OSError:
        return None, 0.0
    return (100 * disk.free / disk.total if disk.total else None), disk.free / 2**30
