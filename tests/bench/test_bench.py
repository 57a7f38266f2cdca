"""`python -m bench` itself: sizes so small that the figures say nothing, so none is judged."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.chromium import chromium
from tests.instance import REPOSITORY


def _bench(*groups: str) -> dict[str, Any]:
    """What it prints for these groups, without peers: nothing is installed."""
    only = [word for group in groups for word in ("--only", group)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--tiny", "--no-peers", "--json", *only],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _figures(said: dict[str, Any]) -> dict[str, tuple[float | None, str]]:
    return {row["name"]: (row["ours"], row["note"]) for row in said["rows"]}


def test_each_figure_of_the_queue_and_of_the_door_can_be_measured() -> None:
    said = _bench("enqueue", "memory", "idle", "requeue", "freeze", "policies", "scripts", "posts")
    assert said["machine"]["cores"] >= 1
    figures = _figures(said)
    assert set(figures) == {
        "enqueued in bulk by one client",
        "Redis memory of a queued 0.9 KB alert",
        "from enqueue to start, idle worker, median",
        "processor of an idle worker",
        "100,000 dead letters requeued while somebody looks at the console",
        "the slowest page meanwhile",
        "set of 100,000 written down",
        "memory for a set of 100,000",
        "removed by a policy at 100,000 dead letters, sqlite",
        "a look that removes nothing at 100,000 dead letters, sqlite",
        "the slowest script call at 100,000 queued",
        "single POSTs accepted, 32 connections",
        "their p99",
    }
    assert {name: note for name, (figure, note) in figures.items() if figure is None} == {}
    assert {peer["note"] for row in said["rows"] for peer in row["peers"]} == {"left out"}
    # Every script is known by its name: a new one is measured as soon as bench/ours/operate.py calls it.
    assert "another" not in figures["the slowest script call at 100,000 queued"][1]


@pytest.mark.long
@pytest.mark.postgres
def test_each_figure_that_needs_a_database_or_patience_can_be_measured() -> None:
    figures = _figures(
        _bench("drain", "recovery", "spool", "snapshot", "alerts", "pages", "dead_letters", "viewers", "bulk", "points")
    )
    patience = figures.pop("from kill -9 of a worker to its job's next start")
    assert patience == (None, "not within 0.5 s")
    assert {name: note for name, (figure, note) in figures.items() if figure is None} == {}
    assert len(figures) == 18


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.skipif(not chromium(), reason="no Chromium was found")
def test_each_figure_of_the_screen_can_be_measured() -> None:
    figures = _figures(_bench("screen"))
    assert {name: note for name, (figure, note) in figures.items() if figure is None} == {}
    assert len(figures) == 3
