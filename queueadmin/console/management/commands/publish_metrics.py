"""`manage.py publish_metrics`: sample the queues once a second for every page, until SIGTERM."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingest.queue.connections import NeedsRedis, connection
from queueadmin.console.live.publisher import Publisher


class Command(BaseCommand):
    help = "Sample the queues once a second and send the numbers to every open page. A second one stands by."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(_publish())
        except NeedsRedis as error:
            raise CommandError(str(error)) from None


async def _publish() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Publisher(connection()).run(stop)
