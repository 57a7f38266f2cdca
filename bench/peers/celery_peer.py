"""Celery with Redis as its broker, results off."""

import time

from celery import Celery

from bench.peers import command

app = Celery("bench.peers.celery_peer", broker=f"redis+socket://{command.SOCKET}")
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, task_default_queue="celery")


@app.task(acks_late=True)  # type: ignore[untyped-decorator]
def nothing(alert: command.Alert) -> None:
    pass


@app.task(acks_late=True)  # type: ignore[untyped-decorator]
def stamp(alert: command.Alert) -> None:
    command.stamp()


@app.task(acks_late=True)  # type: ignore[untyped-decorator]
def sleep(alert: command.Alert) -> None:
    command.stamp()
    time.sleep(600)


JOBS = {"nothing": nothing, "stamp": stamp, "sleep": sleep}


def fill(job: str, alerts: list[command.Alert]) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for alert in alerts:
            JOBS[job].apply_async((alert,), producer=producer)


def one(job: str, alert: command.Alert) -> None:
    JOBS[job].delay(alert)


if __name__ == "__main__":
    from bench.peers import celery_peer

    command.run(celery_peer.fill, celery_peer.one)
