"""PostgreSQL is stopped under real processes: pausing and recovering go on, and the log is whole afterwards."""

import psycopg
import pytest
import redis

from ingest.queue import keys
from tests.conftest import Valkey, wait_until
from tests.ingest.conftest import start  # noqa: F401 - a fixture
from tests.postgres import Cluster
from tests.programs import Start


@pytest.mark.postgres
def test_pause_and_recover_while_postgresql_is_stopped(
    own_valkey: Valkey,
    start: Start,  # noqa: F811
    postgres: Cluster,
) -> None:
    address = postgres.url.replace("postgres://", "postgresql://")
    with psycopg.connect(address, autocommit=True) as database:
        database.execute("DROP DATABASE IF EXISTS audit")
        database.execute("CREATE DATABASE audit")
    url = postgres.url.replace("/queueadmin", "/audit")

    def run(*command: str) -> int:
        return start(*command, DATABASE_URL=url).process.wait(timeout=90)

    with redis.Redis.from_url(own_valkey.url) as client:
        start("publish_metrics", DATABASE_URL=url)
        wait_until(lambda: client.exists(keys.AUDIT_CHECKED))
        assert run("queues", "pause", "high") == 0
        postgres.stop()
        try:
            assert run("queues", "pause", "low", "--reason", "give high the workers") == 0
            assert run("recover_stalled") == 0
            assert client.zscore(keys.PAUSED, "low") is not None
            assert client.llen(keys.AUDIT_WAITING) == 4
        finally:
            postgres.start()
        wait_until(lambda: not client.exists(keys.AUDIT_WAITING))
    with psycopg.connect(address.replace("/queueadmin", "/audit")) as database:
        log = database.execute("SELECT action, target, step FROM console_auditentry ORDER BY id").fetchall()
    done = [("pause", "high"), ("pause", "low"), ("recover_stalled", "all")]
    assert log == [(*each, step) for each in done for step in ("intent", "outcome")]
    assert run("verify_audit") == 0
