"""Problems by the hundred thousand, and how long the page of each filter takes, in milliseconds; medians."""

import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client

from bench import corpus
from bench.ours.look import median_ms
from ingest.problems import ACKNOWLEDGE, RESOLVE, TRIGGER, Said, lines_of, save_reports

#: As the page takes them: state, and the filter's text.
FILTERS = (
    ("open", ""),
    ("all", ""),
    ("resolved", "severity:critical"),
    ("all", "source:zabbix tenant:tenant-7"),
    ("all", "label.pod:pod-77"),
    ("open", "label.team:core label.region:us-east-1"),
    ("all", "since:1h"),
    ("all", "checkout"),
    ("all", "nobody-says-this"),
)
_BATCH = 400


def reports(count: int) -> Iterator[Said]:
    """Of `count` problems nine in ten are resolved, and three in a hundred acknowledged."""
    chance = Random(corpus.SEED)
    alerts = list(corpus.alerts(min(count, corpus.PROBLEMS)))
    begin = datetime.now(UTC) - timedelta(days=20)
    for number in range(count):
        alert = alerts[number % len(alerts)]
        first = Said(
            identity=hashlib.sha256(str(number).encode()).hexdigest()[:32],
            tenant=f"tenant-{number % 40}",
            source=alert["source"],
            title=f"{alert['title']} #{number}",
            labels=lines_of({**alert["labels"], "pod": f"pod-{number}"}),
            priority=alert["severity"],
            action=TRIGGER,
            at=begin + timedelta(days=20) * (number / count),
            event=f"{number}",
        )
        yield first
        then = chance.random()
        if then < 0.93:
            action = RESOLVE if then < 0.9 else ACKNOWLEDGE
            yield first._replace(action=action, at=first.at + timedelta(minutes=5), event=f"{number}-", title="")


def fill(count: int) -> None:
    batch: list[Said] = []
    for report in reports(count):
        batch.append(report)
        if len(batch) >= _BATCH:
            with transaction.atomic():
                save_reports(batch)
            batch = []
    with transaction.atomic():
        save_reports(batch)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does by itself


if __name__ == "__main__":
    call_command("collectstatic", interactive=False, verbosity=0)
    fill(int(sys.argv[1]))
    user, _ = User.objects.get_or_create(username="bench")
    client = Client(headers={"host": "localhost"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def page(state: str, text: str) -> None:
        answer = client.get("/alerts/", {"state": state, "filter": text})
        assert answer.status_code == 200, answer.content

    print(
        json.dumps(
            {
                f"{state} {text}".strip(): median_ms(lambda state=state, text=text: page(state, text), int(sys.argv[2]))  # type: ignore[misc]
                for state, text in FILTERS
            }
        )
    )
