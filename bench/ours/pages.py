"""`QUEUED DEAD TIMES`: fills the queues, then takes every page so often; prints the medians in milliseconds."""

import json
import sys

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from bench import corpus
from bench.ours import put
from bench.ours.bury import bury
from bench.ours.look import median_ms
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions

#: {job}: a dead letter. What is filtered by is in one alert of a dozen, and in none.
PATHS = (
    "/",
    "/queues/medium/",
    "/jobs/",
    "/jobs/?filter=state:failed",
    "/jobs/?filter=state:queued source:bench",
    "/jobs/?filter=nobody-says-this",
    "/jobs/?filter=source:nobody",
    "/jobs/?filter=payload.labels.host:nobody",
    "/queues/medium/?filter=nobody-says-this",
    "/matching-jobs/?filter=nobody-says-this",
    "/matching-jobs/?filter=state:queued",
    "/api/v1/jobs?filter=nobody-says-this",
    "/jobs/{job}/",
    "/dead-letters/",
    "/dead-letters/?filter=nobody-says-this",
    "/dead-letters/?filter=payload.labels.host:nobody",
    "/alerts/",
    "/devices/",
    "/schedules/",
    "/workers/",
    "/audit/",
    "/ingest/",
    "/settings/",
    "/account/",
)


def fill(count: int) -> None:
    bodies = corpus.lines(min(count, 5_000))
    for start in range(0, count, len(bodies)):
        put.fill("alert", bodies[: count - start])


if __name__ == "__main__":
    call_command("collectstatic", interactive=False, verbosity=0)
    queued, dead, times = map(int, sys.argv[1:])
    fill(dead)
    (job, *_) = bury(Transitions(connection()))
    fill(queued)
    user = User.objects.create_superuser("bench-pages")
    client = Client(headers={"host": "localhost"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def page(path: str) -> None:
        answer = client.get(path.format(job=job))
        assert answer.status_code == 200, (path, answer.status_code)

    print(json.dumps({path: median_ms(lambda path=path: page(path), times) for path in PATHS}))  # type: ignore[misc]
