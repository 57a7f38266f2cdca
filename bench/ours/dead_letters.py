"""`COUNT TIMES`: makes so many dead letters of some causes, indexes them, then takes their pages so often.

Those that are dead already count. Of more than INDEXED the others' rows are copies, since writing them takes what is
measured with the first. Prints what the index cost, and the medians in milliseconds.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from django.test import Client

from bench import corpus
from bench.ours import put
from bench.ours.look import median_ms
from bench.ours.operate import QUEUE
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.queue.transitions import Failure, Transitions, new_id
from ingest.reading.cursors import Place, newest, oldest
from queueadmin.console.failures import Indexer, State, refresh
from queueadmin.console.failures.state import tell
from queueadmin.console.models import Failure as Row
from queueadmin.console.models import FailureGroup, FailureText

INDEXED = 100_000
#: Rows in one transaction.
CHUNK = 5_000
#: Exception, message, place: 60 causes, of which some have far more than others.
CAUSES = tuple(
    (name, f"{said} 10.0.{number}.7:5432 after {number} ms", f"/srv/shop/part_{number % 20}.py")
    for number in range(20)
    for name, said in (("ConnectTimeout", "no answer of"), ("ValueError", "no such device"), ("KeyError", "unknown"))
)
#: {group}: a large one; {word}: in one of a hundred alerts.
PAGES = (
    "/dead-letters/",
    "/dead-letters/?sort=trend",
    "/dead-letters/{group}/",
    "/dead-letters/?filter=source:bench",
    "/dead-letters/?filter=-error:ValueError queue:medium since:7d",
    "/api/v1/dlq/groups",
    "/api/v1/dlq/groups?sort=last",
)
SEARCHES = (
    "/dead-letters/?filter=device",
    '/dead-letters/?filter="no such device"',
    "/dead-letters/?filter=nobody-says-this",
    "/dead-letters/?filter={word} -error:KeyError",
    "/dead-letters/?filter=payload.labels.host:{word}",
    "/api/v1/dlq/groups?filter=devi",
)


def bury(count: int) -> None:
    """So many more."""
    bodies = corpus.lines(max(1, min(count, 5_000)))
    for start in range(0, count, len(bodies)):
        put.fill("alert", bodies[: count - start])
    transitions = Transitions(connection())
    number = 0
    while claim := transitions.claim("bench", [QUEUE], claim_id=new_id(), lease=60):
        failures = []
        for job in claim.jobs:
            number += 1
            name, said, place = CAUSES[number * number % 97 % len(CAUSES)]
            text = f'Traceback (most recent call last):\n  File "{place}", line 7, in ask\n    get()\n{name}: {said}\n'
            failures.append(Failure(job.id, text, retry=False, error_type=name, message=said))
        transitions.fail(QUEUE, claim.id, "bench", failures)


def dead() -> int:
    return sum(connection().zcard(keys.failed(name)) for name in settings.PRIORITIES)


def index(count: int) -> dict[str, object]:
    indexer = Indexer(connection(), lambda: True)
    before, began = time.process_time(), time.perf_counter()
    while Row.objects.count() < count:
        indexer.step()
    taken, seconds = time.process_time() - before, time.perf_counter() - began
    for _ in range(20):
        indexer._refresh_at = 0.0
        if (state := indexer.step()).complete and not state.behind:
            break
    return {"us": 1e6 * taken / count, "note": f"{count / seconds:,.0f}/s; the database's own server is not in it"}


def copy() -> None:
    """A row for each dead letter that has none: another's, with its own id and time."""
    first = list(Row.objects.order_by("pk")[:INDEXED])
    words = dict(FailureText.objects.filter(pk__in=[row.pk for row in first]).values_list("pk", "words"))
    has_row, key = {row.job_id for row in first}, first[-1].pk
    patterns: dict[str, Iterator[Row]] = defaultdict(lambda: cycle(first))
    for name in settings.PRIORITIES:
        if alike := [row for row in first if row.queue == name]:
            patterns[name] = cycle(alike)
    names = [field.name for field in Row._meta.concrete_fields]
    for name in settings.PRIORITIES:
        place: Place | None = None
        while page := oldest(connection(), keys.failed(name), place, CHUNK):
            place, rows, texts = (page[-1][1], page[-1][0]), [], []
            for job_id, score in page:
                if job_id in has_row:
                    continue
                pattern, key = next(patterns[name]), key + 1
                at = datetime.fromtimestamp(score - keys.SCORE_OFFSET, UTC)
                own: dict[str, Any] = {"id": key, "job_id": job_id, "queue": name, "score": score, "failed_at": at}
                own |= {"first_failed_at": at, "minute": int(at.timestamp()) // 60}
                rows.append(Row(**{field: getattr(pattern, field) for field in names} | own))
                texts.append(FailureText(failure_id=key, words=words[pattern.pk]))
            with transaction.atomic():
                Row.objects.bulk_create(rows, batch_size=1_000)
                FailureText.objects.bulk_create(texts, batch_size=1_000)
    refresh(FailureGroup.objects.values_list("pk", flat=True))


def say() -> None:
    """That the index is whole, as a publisher goes on telling it."""
    read = {}
    for name in settings.PRIORITIES:
        top = newest(connection(), keys.failed(name), None, 1)
        read[name] = (top[0][1], top[0][0]) if top else None
    tell(connection(), State(complete=True, rows=Row.objects.count(), dead_letters=dead(), read=read))
    connection().persist(keys.FAILURES)


if __name__ == "__main__":
    call_command("collectstatic", interactive=False, verbosity=0)
    count, times = map(int, sys.argv[1:])
    first, cost = min(count, INDEXED), None
    if dead() < first or Row.objects.count() != first:
        for model in (FailureText, Row, FailureGroup):
            model.objects.all().delete()
        bury(first - dead())
        cost = index(first)
    if count > first:
        bury(count - dead())
        copy()
    say()
    if database.vendor == "postgresql":
        with database.cursor() as cursor:  # as its own vacuum does after some minutes
            cursor.execute("VACUUM ANALYZE")
    user, _ = User.objects.get_or_create(username="bench-dead-letters", is_superuser=True)
    client = Client(headers={"host": "localhost"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    group = FailureGroup.objects.order_by("-count")[0].pk
    host = json.loads(corpus.lines(1)[0]).get("labels", {}).get("host", "db-1")

    def page(path: str) -> None:
        answer = client.get(path.format(group=group, word=host))
        assert answer.status_code == 200, (path, answer.status_code)

    def taken(paths: tuple[str, ...]) -> dict[str, float]:
        return {path: median_ms(lambda path=path: page(path), times) for path in paths}  # type: ignore[misc]

    print(json.dumps({"index": cost, "pages": taken(PAGES), "searches": taken(SEARCHES)}))
