"""Dramatiq with Redis as its broker, one process with its default of eight threads."""

import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.peers import command

dramatiq.set_broker(RedisBroker(url=f"unix://{command.SOCKET}"))


@dramatiq.actor  # type: ignore[untyped-decorator]
def nothing(alert: command.Alert) -> None:
    pass


@dramatiq.actor  # type: ignore[untyped-decorator]
def stamp(alert: command.Alert) -> None:
    command.stamp()


@dramatiq.actor  # type: ignore[untyped-decorator]
def sleep(alert: command.Alert) -> None:
    command.stamp()
    time.sleep(600)


JOBS = {"nothing": nothing, "stamp": stamp, "sleep": sleep}


def fill(job: str, alerts: list[command.Alert]) -> None:
    for alert in alerts:
        JOBS[job].send(alert)


def one(job: str, alert: command.Alert) -> None:
    JOBS[job].send(alert)


if __name__ == "__main__":
    from bench.peers import dramatiq_peer

    command.run(dramatiq_peer.fill, dramatiq_peer.one)
