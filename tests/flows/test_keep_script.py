"""A15: the test script of Keep's description, run as it is against a running instance."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import wait_until
from tests.instance import Instance

SCRIPT = Path(__file__).parent / "keep_test_script.py"


@pytest.fixture
def fresh_instance(tmp_path: Path) -> Iterator[Instance]:
    """Of its own, since the script's 1,000 have to be all there is."""
    instance = Instance(tmp_path, WORKERS="2")
    try:
        yield instance.start()
    finally:
        instance.discard()


def health(instance: Instance) -> dict[str, int]:
    metrics: dict[str, int] = requests.get(f"{instance.url}/api/admin/queue/health", timeout=60).json()["metrics"]
    return metrics


def test_its_thousand_alerts_are_accepted_and_all_accounted_for(fresh_instance: Instance, tmp_path: Path) -> None:
    script = tmp_path / "test_redis_queue.py"
    text = SCRIPT.read_text()
    assert "http://localhost:8000" in text
    script.write_text(text.replace("http://localhost:8000", f"http://localhost:{fresh_instance.port}"))
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)

    sent, _, shown = run.stdout.partition("Queue Status:\n")
    assert sent.splitlines() == [f"Sent {n} alerts, last response: 202" for n in range(0, 1000, 100)]
    seen = json.loads(shown)
    assert seen["redis_available"] is True
    assert seen["queue_status"] == "healthy"
    assert seen["metrics"]["total_enqueued"] == 1000

    wait_until(lambda: health(fresh_instance)["successfully_processed"] == 1000, what="the processing of all")
    after = health(fresh_instance)
    priorities = ("critical", "high", "medium", "low")
    assert sum(after[f"enqueued:{name}"] for name in priorities) == after["total_enqueued"] == 1000
    assert sum(after[f"dequeued:{name}"] for name in priorities) == after["total_dequeued"] == 1000
    assert min(after[f"enqueued:{name}"] for name in priorities) > 150  # a quarter each, by chance
    assert sum(after[f"queue_length:{name}"] for name in priorities) == 0
    assert after["processing_queue_length"] == after["dead_letter_queue_length"] == after["processing_failures"] == 0
