"""manage.py recover_stalled: take back at once what dead workers held."""

from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.maintenance import recover_all
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions


class Command(BaseCommand):
    help = "Take back the jobs whose lease lapsed, and print how many there were."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=float,
            metavar="SECONDS",
            help="also those that run for longer than this, though their worker lives",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        older_than = options["older_than"]
        if older_than is not None and not older_than > 0:
            raise CommandError("--older-than must be a number of seconds above 0.")
        try:
            number = recover_all(Transitions(connection()), older_than=older_than)
        except redis.RedisError as error:
            raise CommandError(f"Redis does not answer: {error}") from None
        self.stdout.write(str(number))
