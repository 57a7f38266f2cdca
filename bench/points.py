"""A million points through `/tracking/upload`, each once, from the first byte sent to the last row in PostgreSQL."""

import json
import random
import time
from collections.abc import Iterator

import psycopg

from bench import web
from bench.bulk import CONNECTIONS, QUEUES, WORKERS
from bench.contestants import Ours
from bench.ground import Ground, Program, Unmeasured, wait_until
from bench.report import Goal, Peer, Row

POINTS = 1_000_000
#: Points of one body, the most that a request may have: a device's log of some hours, a point a second.
BODY = 10_000
#: The first of them, in Unix seconds: 1 June 2026.
BEGIN = 1_780_272_000


def rows(ground: Ground) -> Iterator[Row]:
    size = ground.size(BODY, tiny=1_500)
    bodies = [_track(number, size) for number in range(ground.size(POINTS / BODY, tiny=2))]
    try:
        yield _end_to_end(ground, bodies, size)
    except Unmeasured as error:
        yield Row("points", "points to rows in PostgreSQL", "points/s", "more", None, note=str(error))


def _track(number: int, size: int) -> bytes:
    """NDJSON of a device that moves about, some 110 bytes a point."""
    chance = random.Random(number)
    lat, lon, alt = 46 + chance.random(), 7 + chance.random(), 1_500.0
    lines = []
    for second in range(size):
        lat += chance.uniform(-1, 1) / 10_000
        lon += chance.uniform(-1, 1) / 10_000
        alt += chance.uniform(-2, 2)
        point = {
            "device_id": f"glider-{number:04}",
            "time": BEGIN + second,
            "lat": round(lat, 6),
            "lon": round(lon, 6),
            "alt": round(alt, 1),
            "speed": round(chance.uniform(15, 35), 1),
            "heading": chance.randrange(360),
        }
        lines.append(json.dumps(point, separators=(",", ":")))
    return "\n".join(lines).encode() + b"\n"


def _end_to_end(ground: Ground, bodies: list[bytes], size: int) -> Row:
    environment = ground.environment("postgresql")
    ground.empty()
    ground.forget_events()
    ours = Ours(ground, "postgresql")
    workers = [ours.work(number) for number in range(WORKERS)]
    sent = len(bodies) * size
    chunks = sum(-(-size // 1_000) for _ in bodies)
    try:
        wait_until(lambda: ground.redis.scard("rq:workers") == WORKERS, seconds=60, what="the workers")
        with web.ours(ground, environment, path="/tracking/upload") as server:
            used = _used(ground, server, workers)
            begin = time.perf_counter()
            seen = server.post(bodies, connections=CONNECTIONS, content_type="application/x-ndjson", once=True)
            wait_until(lambda: _completed(ground) >= chunks, seconds=300, what="the last row")
            seconds = time.perf_counter() - begin
            used = [after - before for before, after in zip(used, _used(ground, server, workers), strict=True)]
    finally:
        for worker in workers:
            worker.stop()
    stored = _stored(ground)
    if stored != sent or seen["refused"]:
        raise Unmeasured(f"{sent:,} were sent, {seen['refused']} bodies refused, and {stored:,} are stored")
    cost = " + ".join(f"{each / sent * 1e6:.1f}" for each in used)
    note = (
        f"{WORKERS} workers, one web process, {sent:,} points, {size:,} a request; a point costs, in µs of a core"
        f" (web + workers + Valkey + PostgreSQL): {cost}"
    )
    raw = _copy(ground, sent)
    return Row(
        "points",
        "points to rows in PostgreSQL",
        "points/s",
        "more",
        sent / seconds,
        (Peer("raw COPY", raw),),
        (Goal(50_000),),
        note,
    )


def _used(ground: Ground, server: web.Web, workers: list[Program]) -> list[float]:
    return [
        server.program.processor_seconds(),
        sum(worker.processor_seconds() for worker in workers),
        ground.valkey.processor_seconds(),
        ground.postgres_seconds(),
    ]


def _completed(ground: Ground) -> int:
    return sum(int(ground.redis.hget(f"rq:qa:count:{queue}", "completed") or 0) for queue in QUEUES)


def _stored(ground: Ground) -> int:
    with psycopg.connect(ground.postgres_address()) as connection:
        row = connection.execute("SELECT count(*) FROM ingest_point").fetchone()
        return int(row[0]) if row else 0


def _copy(ground: Ground, count: int) -> float:
    """Points a second that one client copies from a table into one of the same columns and keys."""
    columns = "tenant, device_id, time, lat, lon, alt, speed, heading, accuracy, stream, job_id, more"
    with psycopg.connect(ground.postgres_address(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bench_point")
        connection.execute("CREATE TABLE bench_point (LIKE ingest_point INCLUDING ALL)")
        found = connection.execute(f"SELECT {columns} FROM ingest_point WHERE device_id = 'glider-0000'").fetchall()  # noqa: S608
        begin = time.perf_counter()
        written = 0
        while written < count:
            with connection.cursor().copy(f"COPY bench_point ({columns}) FROM STDIN") as copy:
                for tenant, _, *rest in found[: count - written]:
                    copy.write_row((tenant, f"raw-{written}", *rest))
            written += min(len(found), count - written)
        return written / (time.perf_counter() - begin)
