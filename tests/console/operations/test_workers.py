"""Real workers told by the console's operations: audited, nothing lost, nothing doubled. Issue 7 (3)."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.queue import keys
from queueadmin.console import operations, workers
from queueadmin.console.models import AuditEntry
from tests.conftest import wait_until
from tests.console.conftest import outcome, worker
from tests.ingest.conftest import mortal, start  # noqa: F401 - fixtures
from tests.ingest.worker.conftest import Shop, shop  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture
def here(mortal: Any, shop: Shop) -> Shop:  # noqa: F811
    """The shop's Valkey is the one that the settings point at."""
    return shop


def _state(shop: Shop, name: str) -> str:  # noqa: F811
    found = workers.find(shop.redis, name)
    return found.state if found else "gone"


def _hears(shop: Shop, name: str) -> bool:  # noqa: F811
    return bool(shop.redis.pubsub_numsub(f"rq:pubsub:{name}")[0][1])


def _listens(shop: Shop, name: str) -> bool:  # noqa: F811
    """It hears commands, and has said with its first beat that it is one of ours."""
    return _hears(shop, name) and bool(shop.redis.hexists(keys.worker(name), "held"))


def test_drain_and_resume(here: Shop) -> None:
    here.worker()
    name = here.name()
    # It listens a moment before its first beat says that it is ours.
    wait_until(lambda: _listens(here, name) and here.redis.hexists(keys.worker(name), "held"))
    said = operations.drain_worker(name, actor="ada", reason="node-a is patched").sentence
    assert said == f"{name} finishes what it holds and claims nothing more until it is resumed."
    wait_until(lambda: _state(here, name) == "drained")
    (waits,) = here.put("alert", {"title": "x"})
    with pytest.raises(operations.CannotDo, match="drained already"):
        operations.drain_worker(name, actor="ada")
    assert operations.resume_worker(name, actor="ada").sentence == f"{name} claims again."
    here.completed(1)
    assert here.work.waiting() == []
    assert waits
    with pytest.raises(operations.CannotDo, match="not drained"):
        operations.resume_worker(name, actor="ada")
    intent = AuditEntry.objects.order_by("id")[0]
    assert (intent.action, intent.target, intent.reason) == ("drain_worker", name, "node-a is patched")
    assert outcome().outcome == f"failed: CannotDo: {name} is not drained."


def test_restart_is_for_those_that_something_starts_anew(here: Shop) -> None:
    alone = here.worker(SUPERVISOR_ENABLED="")
    name = here.name()
    wait_until(lambda: _listens(here, name))
    with pytest.raises(operations.CannotDo, match="would only end it"):
        operations.restart_worker(name, actor="ada")
    assert alone.stop() == 0
    supervised = here.worker(SUPERVISOR_ENABLED="1")
    name = here.name()
    wait_until(lambda: _listens(here, name))
    assert "supervisor starts another" in operations.restart_worker(name, actor="ada").sentence
    assert supervised.process.wait(timeout=60) == 0


def test_a_killed_worker_s_jobs_come_back_once(here: Shop) -> None:
    here.start("maintain", LEASE_SECONDS="2")
    doomed = here.worker(LEASE_SECONDS="2")
    name = here.name()
    wait_until(lambda: here.redis.hexists(keys.worker(name), "process"))
    here.put("chat", *[{"n": number, "seconds": 1} for number in range(5)])
    wait_until(lambda: len(here.effects("begins")) == 5)
    said = operations.kill_worker(name, actor="ada", reason="it hangs").sentence
    assert said == f"{name} was killed; 5 chats in its hands come back when the lease ends."
    assert doomed.process.wait(timeout=60) == -signal.SIGKILL
    assert _state(here, name) == "killed"
    with pytest.raises(operations.CannotDo, match="was killed"):
        operations.kill_worker(name, actor="ada", reason="it hangs")
    here.start("rqworker", "critical", "high", "medium", "low", LEASE_SECONDS="2")
    here.completed(5)
    assert (here.work.count("completed"), here.work.started(), here.work.waiting()) == (5, 0, [])
    assert sorted(number for _, number, _ in here.effects("ends")) == [0, 1, 2, 3, 4]


def test_one_that_is_elsewhere_is_told_to_shut_down(here: Shop, settings: Settings) -> None:
    # Each beat, three times a lease, writes where it really is.
    settings.LEASE_SECONDS = 600
    away = here.worker(LEASE_SECONDS="600")
    name = here.name()
    wait_until(lambda: _listens(here, name))
    here.redis.hset(keys.worker(name), mapping={"process": "another-boot pid:[1] 1 1", "hostname": "node-b"})
    said = operations.kill_worker(name, actor="ada", reason="it hangs").sentence
    assert said == (
        f"{name} runs on node-b, so it was told to shut down: it ends within 10 s and puts back what it holds."
    )
    assert away.process.wait(timeout=60) == 0


def test_rq_s_own_worker_is_told_to_shut_down_and_nothing_else(here: Shop, tmp_path: Path) -> None:
    rq = str(Path(sys.executable).parent / "rq")
    stock = subprocess.Popen([rq, "worker", "stock-queue", "--url", here.valkey.url, "--name", "stock"])
    try:
        wait_until(lambda: _hears(here, "stock"))
        for verb in (operations.drain_worker, operations.resume_worker, operations.restart_worker):
            with pytest.raises(operations.CannotDo, match="RQ's own worker"):
                verb("stock", actor="ada")
        assert "finishes its job and ends" in operations.kill_worker("stock", actor="ada", reason="it hangs").sentence
        assert stock.wait(timeout=60) == 0
    finally:
        stock.kill()
        stock.wait()


def test_one_that_nobody_can_reach_or_knows(empty_redis: redis.Redis) -> None:
    worker(empty_redis, "dead", held=0, silent=60, process="another-boot pid:[1] 1 1")
    with pytest.raises(operations.CannotDo, match="cannot be reached"):
        operations.kill_worker("dead", actor="ada", reason="it hangs")
    with pytest.raises(operations.CannotDo, match="is lost"):
        operations.drain_worker("dead", actor="ada")
    with pytest.raises(operations.NoSuchWorker, match="no worker nobody"):
        operations.drain_worker("nobody", actor="ada")
    assert not empty_redis.keys("rq:qa:order:*")


def test_one_that_does_not_listen_hears_it_later(empty_redis: redis.Redis) -> None:
    worker(empty_redis, "deaf", held=0)
    heard = empty_redis.pubsub()
    said = operations.drain_worker("deaf", actor="ada").sentence
    assert said.endswith("It does not listen at the moment, and hears it with its next beat.")
    assert empty_redis.get(keys.order("deaf")) == b"drain"
    heard.subscribe("rq:pubsub:deaf")
    wait_until(lambda: (heard.get_message() or {}).get("type") == "subscribe")
    empty_redis.hset(keys.worker("deaf"), "order", "drain")
    assert operations.resume_worker("deaf", actor="ada").sentence == "deaf claims again."
    message = heard.get_message(timeout=60)
    assert message is not None
    assert json.loads(message["data"]) == {"command": "resume"}
    assert not empty_redis.exists(keys.order("deaf"))
    heard.close()
