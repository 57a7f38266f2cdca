"""A migrated SQLite database for a home: copied, since migrating one anew takes 2 s of a core each time."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
NAME = "queueadmin.sqlite3"


def give_database(home: Path) -> None:
    shutil.copyfile(_made(), home / NAME)


@cache
def _made() -> Path:
    """Once a test process, by the command that a developer runs."""
    folder = Path(tempfile.mkdtemp(prefix="qa-migrated-"))
    atexit.register(_remove, folder, os.getpid())
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"DJANGO_SETTINGS_MODULE": "queueadmin.settings", "QUEUEADMIN_HOME": str(folder)}
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    return folder / NAME


def _remove(folder: Path, maker: int) -> None:
    if os.getpid() == maker:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
