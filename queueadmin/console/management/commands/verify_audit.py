"""`manage.py verify_audit`: was anything of the audit log changed or taken out?"""

import json
from argparse import ArgumentParser
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from ingest.queue.connections import connection
from queueadmin.console import audit


class Command(BaseCommand):
    help = (
        "Check that the audit log's entries are as they were written, each sealed with the one before. Exit code 0, or"
        " 1 and the first entry that does not hold. Reads only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the same as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = audit.verify()
        except Error as error:
            raise CommandError(f"The database does not answer, so nothing can be verified: {error}") from error
        waiting = _waiting()
        if options["json"]:
            shown = {
                "holds": found.broken is None,
                "entries": found.entries,
                "since": found.since and found.since.isoformat(),
                "broken": found.broken,
                "broken_at": found.broken_at and found.broken_at.isoformat(),
                "waiting": waiting,
                "sentence": found.sentence,
            }
            self.stdout.write(json.dumps(shown, indent=2))
        else:
            self.stdout.write(found.sentence)
            if waiting:
                self.stdout.write(f"{waiting:,} more wait in Redis, where an outage of the database left them.")
        if found.broken is not None:
            raise SystemExit(1)


def _waiting() -> int | None:
    """Entries that are not in the database yet; None: Redis does not say."""
    try:
        return audit.waiting.count(connection())
    except redis.RedisError:
        return None
