"""The tests marked `both_databases` hold on PostgreSQL as they do on SQLite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import Cluster


@pytest.mark.postgres
@pytest.mark.timeout(600)
def test_the_database_tests_hold_on_postgresql(postgres: Cluster) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_XDIST")}
    environment["QUEUEADMIN_TEST_DATABASE_URL"] = postgres.url
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "both_databases", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=Path(__file__).parent.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
