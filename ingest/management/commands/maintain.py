"""manage.py maintain: the maintenance rounds, until a signal ends them."""

import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingest.maintenance import Maintenance
from ingest.queue.connections import NeedsRedis, connection, single_try


class Command(BaseCommand):
    help = (
        "Recover stalled jobs, promote what is due, fire schedules and watch over Redis, as leader or as its standby,"
        " until SIGTERM or Ctrl-C."
    )

    _stopped = False

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        try:
            Maintenance(single_try(connection())).run(lambda: self._stopped)
        except NeedsRedis as error:
            raise CommandError(str(error)) from None

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopped = True
