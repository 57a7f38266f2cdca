"""The tests marked `both_databases` hold on PostgreSQL as they do on SQLite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import Cluster

FOLDER = Path(__file__).parent


@pytest.mark.postgres
@pytest.mark.timeout(1800)
def test_the_database_tests_hold_on_postgresql(postgres: Cluster) -> None:
    run("both_databases and not long", postgres)


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.timeout(3600)
def test_the_long_database_tests_hold_on_postgresql(postgres: Cluster) -> None:
    run("both_databases and long", postgres)


def run(marked: str, postgres: Cluster) -> None:
    # Those alone are read: the whole suite's imports take as long as a tenth of these tests.
    files = [path for path in sorted(FOLDER.rglob("test_*.py")) if "both_databases" in path.read_text()]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_XDIST")}
    environment["QUEUEADMIN_TEST_DATABASE_URL"] = postgres.url
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            marked,
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            *map(str, files),
        ],
        cwd=FOLDER.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    none_marked = 5  # pytest's exit status
    assert done.returncode in (0, none_marked), done.stdout[-8000:] + done.stderr[-2000:]
