"""Alerts by the thousand, as NDJSON: megabytes accepted in a second, and megabytes that became rows.

A megabyte is 1,000,000 bytes of NDJSON; 600 GB a day are 6.94 MB/s.
"""

import time
from collections.abc import Iterator

import psycopg

from bench import corpus, web
from bench.contestants import Ours
from bench.ground import Ground, Unmeasured, wait_until
from bench.report import Goal, Peer, Row

#: Alerts in a body, and bodies in flight.
LINES = 1_000
CONNECTIONS = 4
WORKERS = 2
QUEUES = ("critical", "high", "medium", "low")


def rows(ground: Ground) -> Iterator[Row]:
    size = ground.size(LINES, tiny=20)
    bodies = [b"\n".join(corpus.lines(size, seed=seed)) + b"\n" for seed in range(8)]
    yield _accepted(ground, bodies)
    try:
        yield _end_to_end(ground, bodies)
    except Unmeasured as error:
        yield Row("bulk", "NDJSON to rows in PostgreSQL", "MB/s", "more", None, note=str(error))


def _accepted(ground: Ground, bodies: list[bytes]) -> Row:
    ground.empty()
    with web.ours(ground, ground.environment(), path="/api/v1/events") as server:
        seen = server.post(bodies, connections=CONNECTIONS, content_type="application/x-ndjson")
    if seen["refused"]:
        raise Unmeasured(f"{seen['refused']} bodies were refused")
    peers = []
    # An array is what a peer's parser reads; the bytes are the same but for the brackets.
    arrays = [b"[" + body.strip().replace(b"\n", b",") + b"]" for body in bodies]
    for name in web.PEERS:
        ground.empty()
        try:
            with web.peer(ground, name) as server:
                theirs = server.post(arrays, connections=CONNECTIONS)
            peers.append(Peer(name, theirs["bytes"] / 1e6))
        except Unmeasured as error:
            peers.append(Peer(name, None, str(error)))
    note = (
        f"a body of {len(bodies[0].splitlines()):,} alerts costs, in µs of a core (web + Valkey): {seen['cost']};"
        f" the load generator used {seen['processor']:.0%} of a core"
    )
    name = "NDJSON accepted by one web process"
    return Row("bulk", name, "MB/s", "more", seen["bytes"] / 1e6, tuple(peers), (Goal(12),), note)


def _end_to_end(ground: Ground, bodies: list[bytes]) -> Row:
    environment = ground.environment("postgresql")
    ground.empty()
    ground.forget_events()
    ours = Ours(ground, "postgresql")
    workers = [ours.work(number) for number in range(WORKERS)]
    try:
        wait_until(lambda: ground.redis.scard("rq:workers") == WORKERS, seconds=60, what="the workers")
        with web.ours(ground, environment, path="/api/v1/events") as server:
            begin = time.perf_counter()
            seen = server.post(bodies, connections=CONNECTIONS, content_type="application/x-ndjson")
            sent = seen["total"] * len(bodies[0].splitlines())
            wait_until(lambda: _completed(ground) >= sent, seconds=300, what="the last row")
            seconds = time.perf_counter() - begin
    finally:
        for worker in workers:
            worker.stop()
    stored = _stored(ground)
    if stored < sent or seen["refused"]:
        raise Unmeasured(f"{sent:,} were accepted and {stored:,} stored")
    megabytes = stored * sum(map(len, bodies)) / sum(len(body.splitlines()) for body in bodies) / 1e6
    raw = _copy(ground, bodies, stored)
    note = f"{WORKERS} workers, one web process, {stored:,} alerts; from the first byte sent to the last row committed"
    return Row(
        "bulk", "NDJSON to rows in PostgreSQL", "MB/s", "more", megabytes / seconds, (Peer("raw COPY", raw),), note=note
    )  # fmt: skip


def _completed(ground: Ground) -> int:
    return sum(int(ground.redis.hget(f"rq:qa:count:{queue}", "completed") or 0) for queue in QUEUES)


def _stored(ground: Ground) -> int:
    with psycopg.connect(ground.postgres_address()) as connection:
        row = connection.execute("SELECT count(*) FROM ingest_event").fetchone()
        return int(row[0]) if row else 0


def _copy(ground: Ground, bodies: list[bytes], count: int) -> float:
    """Megabytes a second that one client copies into a table of the same columns and keys."""
    lines = [line for body in bodies for line in body.splitlines()]
    with psycopg.connect(ground.postgres_address(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bench_event")
        connection.execute("CREATE TABLE bench_event (LIKE ingest_event INCLUDING ALL)")
        written = 0
        begin = time.perf_counter()
        for start in range(0, count, LINES):
            with connection.cursor().copy(
                "COPY bench_event (id, received_at, kind, priority, source, tenant, event_id, body, processed_at)"
                " FROM STDIN"
            ) as copy:
                for number in range(start, min(start + LINES, count)):
                    line = lines[number % len(lines)]
                    written += len(line) + 1
                    copy.write_row(
                        (
                            f"{number:032x}",
                            "2026-03-01",
                            "alert",
                            "medium",
                            "bench",
                            "",
                            None,
                            line.decode(),
                            "2026-03-01",
                        )
                    )
        return written / (time.perf_counter() - begin) / 1e6
