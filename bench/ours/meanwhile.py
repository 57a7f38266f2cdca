"""Takes pages of the console, one after the other, until its input ends; prints each one's median and slowest, in ms.

Beside something that keeps Redis busy: what somebody sees who looks at the console then.
"""

import json
import statistics
import sys
import threading
import time

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

PATHS = ("/", "/dead-letters/", "/jobs/", "/replays/")


def main() -> None:
    call_command("collectstatic", interactive=False, verbosity=0)
    client = Client(headers={"host": "localhost"})
    user, _ = User.objects.get_or_create(username="bench-meanwhile", is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    took: dict[str, list[float]] = {path: [] for path in PATHS}
    for path in PATHS:
        client.get(path)
    print("ready", flush=True)
    threading.Thread(target=wait, daemon=True).start()
    while not ended.is_set():
        for path in PATHS:
            began = time.perf_counter()
            assert client.get(path).status_code == 200, path
            took[path].append(1000 * (time.perf_counter() - began))
    print(json.dumps({path: [statistics.median(ms), max(ms)] for path, ms in took.items()}))


if __name__ == "__main__":
    main()
