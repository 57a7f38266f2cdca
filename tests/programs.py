"""Management commands as processes beside the test."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


#: Commands that run the system checks at their start.
_CHECKED = ("migrate", "maintain", "publish_metrics", "rqworker", "rqworker-pool")


class Program:
    """One management command beside the test.

    Without the system checks, which take longer than all the rest of a start: `make check` runs them, and
    `Instance` does.
    """

    def __init__(self, home: Path, url: str, *command: str, **settings: str) -> None:
        self.log = home / f"{command[0]}.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "DJANGO_SETTINGS_MODULE": "queueadmin.settings",
            "QUEUEADMIN_HOME": str(home),
            "REDIS_URL": url,
            **settings,
        }
        unchecked = ["--skip-checks"] if command[0] in _CHECKED else []
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", *command, *unchecked],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def said(self, text: str) -> int:
        return self.log.read_text().count(text)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=60)


Start = Callable[..., Program]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
