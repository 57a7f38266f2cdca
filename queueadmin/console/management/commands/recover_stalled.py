"""`manage.py recover_stalled`: take back at once what dead workers held."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from queueadmin.console import operations
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.command_line import actor, typed


class Command(BaseCommand):
    help = "Take back the jobs whose lease lapsed, and print how many there were."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=_seconds,
            metavar="SECONDS",
            help="also those that run for longer than this, though their worker lives",
        )
        parser.add_argument("--reason", type=typed, default="", help="why, for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = operations.recover_stalled(
                actor=actor(), older_than=options["older_than"], reason=options["reason"]
            )
        except redis.RedisError as error:
            raise CommandError(f"Redis does not answer: {error}") from None
        except AuditUnavailable as error:
            raise CommandError(str(error)) from None
        self.stderr.write(result.sentence)
        self.stdout.write(str(result.total))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds
