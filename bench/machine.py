"""What the figures were measured on."""

import os
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from typing import Any

from queueadmin.run.valkey import find_server
from tests.postgres import programs


def facts() -> dict[str, Any]:
    postgres = programs()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "busy_before": round(os.getloadavg()[0], 1),
        "fsync_ms": round(_fsync() * 1000, 2),
        "python": platform.python_version(),
        "redis": _version(str(find_server())),
        "postgresql": _version(str(postgres / "postgres")) if postgres else "none",
        "node": _version("node") if shutil.which("node") else "none",
    }


def sentence(facts: dict[str, Any]) -> str:
    """One line for people."""
    programs = (f"Python {facts['python']}", f"Valkey {facts['redis']}", f"PostgreSQL {facts['postgresql']}")
    return (
        f"{facts['at'][:10]}: {facts['cores']} cores, {facts['memory_gib']} GiB of memory, an fsync in"
        f" {facts['fsync_ms']} ms, {facts['busy_before']} other processes busy at the start; {', '.join(programs)},"
        f" node {facts['node']}; medians of {facts['rounds']} round(s), {facts['seconds']:g} s for each figure."
    )


def _fsync() -> float:
    """The median of writing 4 KB to the disk that the servers write to."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(100):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else "none"
