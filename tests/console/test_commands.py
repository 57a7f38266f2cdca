"""`manage.py queues` and `manage.py publish_metrics` as they are run."""

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.management import call_command

from ingest.queue import keys
from tests.conftest import wait_until
from tests.console.conftest import Jobs

pytestmark = pytest.mark.django_db


def _queues(*arguments: str) -> str:
    out = StringIO()
    call_command("queues", *arguments, stdout=out)
    return out.getvalue()


def test_queues_as_text(jobs: Jobs) -> None:
    jobs.enqueue(1234)
    jobs.fail(2, queue="low")
    text = _queues()
    assert text.startswith("degraded: ")
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["high"][1] == "1,234"
    assert rows["low"][5] == "2"
    assert "enqueued 1,236 · dequeued 2 · processed 0 · failures 2" in text


def test_queues_as_json(jobs: Jobs) -> None:
    jobs.enqueue(3)
    shown = json.loads(_queues("--json"))
    assert shown["type"] == "snapshot"
    assert shown["totals"]["depth"] == 3


@pytest.mark.usefixtures("no_redis")
def test_queues_without_redis_exits_1_and_shows_no_false_zero() -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("queues", stdout=out)
    assert ended.value.code == 1
    assert out.getvalue().startswith("unhealthy: Redis does not answer")
    assert "–" in out.getvalue()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_publish_metrics_publishes_and_stops_cleanly(empty_redis: redis.Redis, how: signal.Signals) -> None:
    manage = Path(settings.BASE_DIR) / "manage.py"
    process = subprocess.Popen([sys.executable, str(manage), "publish_metrics"], env=os.environ.copy())
    try:
        wait_until(lambda: empty_redis.llen(keys.HISTORY) >= 2, what="a second sample")
        process.send_signal(how)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    assert not empty_redis.exists(keys.PUBLISHER)
