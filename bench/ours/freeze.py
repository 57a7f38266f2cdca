"""`COUNT`: begins a replay of so many dead letters and writes its set down as maintenance does.

Prints the seconds of that and those of a core, the MiB that it took beyond what the process had, its longest step, and
how long the replay's page, the first page of the dead letters and the page that asks how to replay them took then, in
milliseconds.
"""

import json
import multiprocessing
import resource
import sys
import time

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from bench.ours.bury import fill
from bench.ours.look import median_ms
from ingest.queue.connections import connection
from queueadmin.console import operations
from queueadmin.console.filters import parse
from queueadmin.console.models import Replay
from queueadmin.console.replays import Options
from queueadmin.console.replays.engine import Engine

TIMES = 3


def mib() -> float:
    """The most that this process ever took."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    count = int(sys.argv[1])
    call_command("collectstatic", interactive=False, verbosity=0)
    # In a process of its own: what it takes is not what is measured.
    filling = multiprocessing.Process(target=fill, args=(count,))
    filling.start()
    filling.join()
    assert filling.exitcode == 0
    Replay.objects.all().delete()  # of a smaller set, whose jobs have gone
    before, began, worked = mib(), time.perf_counter(), time.process_time()
    options = Options(canary=0, ramp=(1,), stop_percent=None)
    replay = operations.start_replay(parse(""), options=options, actor="bench", reason="bench").replay
    engine, longest = Engine(connection()), 0.0
    while replay.frozen_at is None:
        step = time.perf_counter()
        engine.step()
        longest = max(longest, time.perf_counter() - step)
        replay.refresh_from_db()
    seconds, taken, worked = time.perf_counter() - began, mib() - before, time.process_time() - worked
    assert replay.size == count, f"{replay.size} of {count} are in the set"
    client = Client(headers={"host": "localhost"})
    user, _ = User.objects.get_or_create(username="bench-freeze", is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def page(path: str) -> None:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)

    paths = (f"/replays/{replay.pk}/", "/dead-letters/", "/replays/new/")
    pages = {path: median_ms(lambda path=path: page(path), TIMES) for path in paths}  # type: ignore[misc]
    print(json.dumps({"seconds": seconds, "mib": taken, "step": longest, "worked": worked, "pages": pages}))


if __name__ == "__main__":
    main()
