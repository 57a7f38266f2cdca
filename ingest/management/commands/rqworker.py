"""`manage.py rqworker`: django-rq's, with task types that a worker serves alone."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django_rq.management.commands import rqworker

from ingest.kinds.tasks import TYPES
from ingest.worker import BatchWorker


class Command(rqworker.Command):
    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)  # type: ignore[no-untyped-call]
        parser.add_argument(
            "--types",
            default="",
            metavar="TYPE,TYPE",
            help="serve tasks of these types alone, which have workers of their own (@task(…, own_workers=True))",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        BatchWorker.task_types = _own(options.pop("types"))
        super().handle(*args, **options)  # type: ignore[no-untyped-call]


def _own(given: str) -> tuple[str, ...]:
    """Raises CommandError for types that this process does not know, or that every worker runs."""
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    own = sorted(name for name, kind in TYPES.items() if kind.own_workers)
    for name in names:
        if name not in own:
            known = f"those that have are {', '.join(own)}" if own else "none has"
            raise CommandError(f"--types: {name!r} is no task type with workers of its own; {known}.")
    return names
