"""RQ as it comes, with results off, since an alert has none."""

import sys
import time

from rq import Queue, SimpleWorker, Worker

from bench.peers import command

WORKERS = {"SimpleWorker": SimpleWorker, "Worker": Worker}
#: Jobs in one pipeline.
CHUNK = 1_000


def nothing(alert: command.Alert) -> None:
    pass


def stamp(alert: command.Alert) -> None:
    command.stamp()


def sleep(alert: command.Alert) -> None:
    command.stamp()
    time.sleep(600)


def fill(job: str, alerts: list[command.Alert]) -> None:
    queue = Queue("medium", connection=command.client)
    function = globals()[job]
    for start in range(0, len(alerts), CHUNK):
        queue.enqueue_many(
            [Queue.prepare_data(function, (alert,), result_ttl=0) for alert in alerts[start : start + CHUNK]]
        )


def one(job: str, alert: command.Alert) -> None:
    from rq import Retry

    Queue("medium", connection=command.client).enqueue(globals()[job], alert, result_ttl=0, retry=Retry(max=3))


if __name__ == "__main__":
    if sys.argv[1] == "work":
        worker = WORKERS[sys.argv[2]](["medium"], connection=command.client)
        worker.work(logging_level="WARNING")
    else:
        # The jobs must name this module, not __main__.
        from bench.peers import rq_peer

        command.run(rq_peer.fill, rq_peer.one)
