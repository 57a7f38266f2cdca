"""Real workers told to drain, resume and restart: nothing is lost or doubled, and what is claimed is finished."""

import json

import redis

from ingest import processes
from ingest.queue import keys
from ingest.worker.orders import Orders
from tests.conftest import wait_until
from tests.ingest.worker.conftest import Shop


def order(client: redis.Redis, name: str, command: str) -> int:
    """As the console does; how many heard it."""
    if command == "resume":
        client.delete(keys.order(name))
    else:
        client.set(keys.order(name), command)
    return int(client.publish(f"rq:pubsub:{name}", json.dumps({"command": command})))


def field(client: redis.Redis, name: str, what: str) -> str:
    return (client.hget(keys.worker(name), what) or b"").decode()


def test_a_drained_worker_finishes_what_it_holds_claims_no_more_and_goes_on_when_resumed(shop: Shop) -> None:
    worker = shop.worker()
    name = shop.name()
    shop.put("chat", {"n": 1, "seconds": 2})
    wait_until(lambda: shop.effects("begins"))
    wait_until(lambda: order(shop.redis, name, "drain"))
    wait_until(lambda: field(shop.redis, name, "order") == "drain")
    waits = shop.put("alert", *[{"title": "x", "n": number} for number in range(20)])
    shop.completed(1)  # what ran was finished
    wait_until(lambda: field(shop.redis, name, "state") == "suspended")
    assert (shop.work.waiting(), shop.work.started()) == (waits, 0)
    assert worker.process.poll() is None
    order(shop.redis, name, "resume")
    shop.completed(21)
    assert field(shop.redis, name, "order") == ""
    assert (shop.work.count("completed"), shop.work.count("recovered"), shop.work.started()) == (21, 0, 0)
    assert shop.effects("ends") == [("chat", 1, worker.process.pid)]


def test_a_restart_finishes_what_is_claimed_and_ends_well(shop: Shop) -> None:
    """Longer than the grace time of a SIGTERM: it waits for it."""
    worker = shop.worker()
    name = shop.name()
    shop.put("chat", {"n": 1, "seconds": 7})
    wait_until(lambda: shop.effects("begins"))
    wait_until(lambda: order(shop.redis, name, "restart"))
    wait_until(lambda: field(shop.redis, name, "order") == "restart")
    waits = shop.put("alert", {"title": "x"})
    assert worker.process.wait(timeout=60) == 0
    assert [number for _, number, _ in shop.effects("ends")] == [1]
    assert (shop.work.count("completed"), shop.work.count("released"), shop.work.started()) == (1, 0, 0)
    assert shop.work.waiting() == waits
    assert not shop.redis.exists(keys.order(name))
    assert shop.redis.scard(keys.WORKERS) == 0


def test_an_order_that_was_not_heard_is_found_at_the_next_beat(shop: Shop) -> None:
    shop.worker(LEASE_SECONDS="3")
    name = shop.name()
    shop.redis.set(keys.order(name), "drain")  # and nobody told it
    wait_until(lambda: field(shop.redis, name, "state") == "suspended")
    shop.redis.delete(keys.order(name))
    wait_until(lambda: field(shop.redis, name, "state") == "idle")


def test_a_worker_that_begins_has_no_orders_of_the_one_before_with_its_name(shop: Shop) -> None:
    shop.redis.set(keys.order("fixed"), "restart")
    shop.worker("--name", "fixed")
    shop.put("alert", {"title": "x"})
    shop.completed(1)
    assert not shop.redis.exists(keys.order("fixed"))


def test_it_tells_of_its_process(shop: Shop) -> None:
    worker = shop.worker(SUPERVISOR_ENABLED="1")
    name = shop.name()
    wait_until(lambda: field(shop.redis, name, "memory"))
    assert 10 * 2**20 < int(field(shop.redis, name, "memory")) < 2**30
    assert float(field(shop.redis, name, "cpu")) >= 0
    assert field(shop.redis, name, "process") == processes.identity(worker.process.pid)
    assert field(shop.redis, name, "supervisor") == "supervisor"


def test_a_restart_is_not_taken_back() -> None:
    told: list[bool] = []
    orders = Orders("w", lambda: told.append(True))
    for command in ("drain", "restart", "resume", "drain", "restart"):
        orders.hear(command)
    assert (orders.standing, told) == ("restart", [True])
