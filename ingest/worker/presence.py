"""What a worker tells of its process with each beat."""

import os
from typing import Any

from ingest import processes


class Presence:
    """Made in the process that works: a pool forks its workers. One that ends in a `burst` is started by nobody."""

    def __init__(self, *, burst: bool) -> None:
        self._usage = processes.Usage()
        self._process = processes.identity(os.getpid())
        self._supervisor = "" if burst else processes.supervisor()

    def fields(self) -> dict[Any, str | int | float]:
        """Of the worker's hash: bytes of memory, percent of a processor since the last beat, who the process is."""
        return {
            "memory": processes.memory(),
            "cpu": self._usage.percent(),
            "process": self._process,
            "supervisor": self._supervisor,
        }
