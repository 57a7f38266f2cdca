"""Points' rows: each kept once, with what is known of its device, and exact counts, in the caller's transaction.

PostgreSQL takes them by COPY into a temporary table and one INSERT from there, SQLite by one statement a job; in the
order of the key, so that two workers wait for each other and never in a circle.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias

from django.db import connection
from django.db.models import Sum

from ingest import partitions
from ingest.models import Device, Point, PointCount, PointMonth
from ingest.upsert import parts, places


class Row(NamedTuple):
    """One point that was checked."""

    device_id: str
    #: Microseconds since 1970, UTC.
    time: int
    lat: float
    lon: float
    alt: float | None
    speed: float | None
    heading: float | None
    accuracy: float | None
    #: The sender's other fields, a JSON object; "" for none.
    more: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one job brings."""

    job_id: str
    tenant: str
    #: See `ingest.kinds.points.STREAMS`.
    stream: str
    received_at: datetime
    rows: Sequence[Row]
    #: Points that were left out: they break a rule.
    rejected: int = 0


def save_points(chunks: Sequence[Chunk]) -> dict[str, dict[str, int]]:
    """Keep the points that are new; by job id how many were `inserted`, `duplicates` and `rejected`.

    Of two with the same tenant, device and time the first stays, and the other one is a duplicate.
    """
    months = _months(chunks)
    partitions.ensure(months)
    inserted, of_devices = _copy(chunks) if connection.vendor == "postgresql" else _insert(chunks)
    counts = {
        chunk.job_id: {
            "inserted": inserted.get(chunk.job_id, 0),
            "duplicates": len(chunk.rows) - inserted.get(chunk.job_id, 0),
            "rejected": chunk.rejected,
        }
        for chunk in chunks
    }
    _note_devices(chunks, of_devices)
    _note_months(months)
    _count(chunks, counts)
    return counts


def totals() -> dict[str, dict[str, int]]:
    """By stream how many points were `inserted`, `duplicates` and `rejected` since the beginning, of all tenants."""
    counts = ("inserted", "duplicates", "rejected")
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(counts, 0))
    for stream, *sums in PointCount.objects.values_list("stream").annotate(*map(Sum, counts)):
        found[stream] = dict(zip(counts, sums, strict=True))
    return found


_COLUMNS: Final = "tenant, device_id, time, lat, lon, alt, speed, heading, accuracy, stream, job_id, more"


#: How many rows were new: by job id, and by tenant and device.
_Inserted: TypeAlias = tuple[Mapping[str, int], Mapping[tuple[str, str], int]]


def _insert(chunks: Sequence[Chunk]) -> _Inserted:
    """SQLite: executemany counts what it changed, and leaves out what was there; so a device of a job is one call."""
    of_jobs: Counter[str] = Counter()
    of_devices: Counter[tuple[str, str]] = Counter()
    statement = f"INSERT INTO {_POINTS} ({_COLUMNS}) VALUES ({','.join(['%s'] * 12)}) ON CONFLICT DO NOTHING"  # noqa: S608 - names of our own
    with connection.cursor() as cursor:
        for chunk in chunks:
            for device_id, rows in groupby(sorted(chunk.rows, key=_by_key), key=lambda row: row.device_id):
                cursor.executemany(
                    statement,
                    [
                        (chunk.tenant, device_id, _time(row.time), *row[2:8], chunk.stream, chunk.job_id, row.more)
                        for row in rows
                    ],
                )
                of_jobs[chunk.job_id] += cursor.rowcount
                of_devices[chunk.tenant, device_id] += cursor.rowcount
    return of_jobs, of_devices


def _copy(chunks: Sequence[Chunk]) -> _Inserted:
    """PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_points (tenant text, device_id text, time bigint,"
            " lat float8, lon float8, alt float8, speed float8, heading float8, accuracy float8, stream text,"
            " job_id text, more text) ON COMMIT DELETE ROWS"
        )
        with cursor.copy("COPY incoming_points FROM STDIN") as copy:
            for chunk in chunks:
                if chunk.rows:
                    copy.write(_lines(chunk))
        cursor.execute(
            f"WITH written AS (INSERT INTO {_POINTS} ({_COLUMNS})"  # noqa: S608 - names of our own
            " SELECT tenant, device_id, timestamptz 'epoch' + time * interval '1 microsecond', lat, lon, alt, speed,"
            " heading, accuracy, stream, job_id, more FROM incoming_points ORDER BY tenant, device_id, time"
            " ON CONFLICT DO NOTHING RETURNING job_id, tenant, device_id)"
            " SELECT job_id, NULL, NULL, count(*) FROM written GROUP BY job_id"
            " UNION ALL SELECT NULL, tenant, device_id, count(*) FROM written GROUP BY tenant, device_id"
        )
        found = cursor.fetchall()
    return (
        {job_id: count for job_id, _, _, count in found if job_id is not None},
        {(tenant, device_id): count for job_id, tenant, device_id, count in found if job_id is None},
    )


#: What COPY's text form reads as something else.
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _lines(chunk: Chunk) -> str:
    """A chunk in COPY's text form."""
    tenant, end = chunk.tenant.translate(_ESCAPES), f"\t{chunk.stream}\t{chunk.job_id}\t"
    null = "\\N"
    lines = []
    for device_id, time, lat, lon, alt, speed, heading, accuracy, more in chunk.rows:
        # It is printable: nothing but a backslash can be in it.
        device = device_id.replace("\\", "\\\\")
        lines.append(
            f"{tenant}\t{device}\t{time}\t{lat}\t{lon}\t{null if alt is None else alt}\t"
            f"{null if speed is None else speed}\t{null if heading is None else heading}\t"
            f"{null if accuracy is None else accuracy}{end}{more and more.translate(_ESCAPES)}\n"
        )
    return "".join(lines)


def _months(chunks: Sequence[Chunk]) -> set[date]:
    """Whose points these are; most chunks are of one."""
    months: set[date] = set()
    for chunk in chunks:
        if chunk.rows:
            times = [row.time for row in chunk.rows]
            ends = {partitions.month_of(min(times)), partitions.month_of(max(times))}
            months |= ends if len(ends) == 1 else set(map(partitions.month_of, times))
    return months


def _note_months(months: Iterable[date]) -> None:
    """They were heard of; written once an hour."""
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        for month in sorted(months):
            cursor.execute(
                f"INSERT INTO {_MONTHS} (month, last_received_at) VALUES (%s, %s) ON CONFLICT (month) DO UPDATE"  # noqa: S608 - names of our own
                f" SET last_received_at = excluded.last_received_at WHERE {_MONTHS}.last_received_at < %s",
                [connection.ops.adapt_datefield_value(month), _adapted(now), _adapted(now - _NOTED)],
            )


def _note_devices(chunks: Sequence[Chunk], inserted: Mapping[tuple[str, str], int]) -> None:
    """Each device's newest point, and how many were kept of it; a device in one batch is one row to write."""
    last: dict[tuple[str, str], tuple[Row, Chunk]] = {}
    for chunk in chunks:
        for row in chunk.rows:
            key = (chunk.tenant, row.device_id)
            if key not in last or row.time > last[key][0].time:
                last[key] = (row, chunk)
    columns = ("last_time", "lat", "lon", "alt", "speed", "stream")
    newer = f"excluded.last_time > {_DEVICES}.last_time"
    newest = ", ".join(
        f"{name} = CASE WHEN {newer} THEN excluded.{name} ELSE {_DEVICES}.{name} END" for name in columns
    )
    with connection.cursor() as cursor:
        for part in parts(sorted(last.items())):
            parameters: list[Any] = []
            for (tenant, device_id), (row, chunk) in part:
                parameters += (tenant, device_id, _time(row.time), *row[2:6], chunk.stream)
                parameters += (inserted.get((tenant, device_id), 0), *[_adapted(chunk.received_at)] * 2)
            cursor.execute(
                f"INSERT INTO {_DEVICES} (tenant, device_id, {', '.join(columns)}, points, first_received_at,"  # noqa: S608 - names of our own
                f" last_received_at) VALUES {places(len(part), 11)}"
                f" ON CONFLICT (tenant, device_id) DO UPDATE SET"
                f" {newest}, points = {_DEVICES}.points + excluded.points,"
                f" last_received_at = CASE WHEN excluded.last_received_at > {_DEVICES}.last_received_at"
                f" THEN excluded.last_received_at ELSE {_DEVICES}.last_received_at END",
                parameters,
            )


def _count(chunks: Sequence[Chunk], counts: Mapping[str, Mapping[str, int]]) -> None:
    """Last of all: a stream is one row for everybody, held from here to the commit."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    for chunk in chunks:
        sums.setdefault((chunk.tenant, chunk.stream), Counter()).update(counts[chunk.job_id])
    with connection.cursor() as cursor:
        for (tenant, stream), found in sorted(sums.items()):
            cursor.execute(
                f"INSERT INTO {_COUNTS} (tenant, stream, inserted, duplicates, rejected) VALUES (%s, %s, %s, %s, %s)"  # noqa: S608 - names of our own
                f" ON CONFLICT (tenant, stream) DO UPDATE SET inserted = {_COUNTS}.inserted + excluded.inserted,"
                f" duplicates = {_COUNTS}.duplicates + excluded.duplicates,"
                f" rejected = {_COUNTS}.rejected + excluded.rejected",
                (tenant, stream, found["inserted"], found["duplicates"], found["rejected"]),
            )


_POINTS: Final = connection.ops.quote_name(Point._meta.db_table)
_DEVICES: Final = connection.ops.quote_name(Device._meta.db_table)
_MONTHS: Final = connection.ops.quote_name(PointMonth._meta.db_table)
_COUNTS: Final = connection.ops.quote_name(PointCount._meta.db_table)


def _by_key(row: Row) -> tuple[str, int]:
    return row.device_id, row.time


def _time(microseconds: int) -> Any:
    """The form that the database keeps a time in."""
    return _adapted(_EPOCH + timedelta(microseconds=microseconds))


def _adapted(at: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(at)


#: How exact `PointMonth.last_received_at` is.
_NOTED: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
