"""`manage.py publish_metrics`: sample the queues once a second for every page, until SIGTERM."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from ingest.queue.connections import connection
from queueadmin.console.publisher import Publisher


class Command(BaseCommand):
    help = "Sample the queues once a second and send the numbers to every open page. A second one stands by."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_publish())


async def _publish() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Publisher(connection()).run(stop)
