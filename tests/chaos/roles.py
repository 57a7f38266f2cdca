"""The product's programs, each forked from a process that has everything imported: a start takes 0.1 s, not 2.

Importing this module sets Django up, so that the fork server may preload it.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import django
import environ

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

import ingest.maintenance  # noqa: E402 - imported before the fork
import ingest.worker  # noqa: E402, F401
from ingest.kinds import register  # noqa: E402
from ingest.queue.connections import connection  # noqa: E402
from ingest.queue.transitions import NewJob, Transitions  # noqa: E402
from tests.chaos import clocks  # noqa: E402
from tests.chaos.statements import StatementKill, number_statements  # noqa: E402
from tests.waiting import wait_until  # noqa: E402
from tests.workshop import kinds as workshop  # noqa: E402

#: Events of crash points go to one queue, so that maintenance has the fewest messages to number.
QUEUE: Final = "high"
#: Which no program serves.
OTHER: Final = "low"
_SIGKILL: Final = 9
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a program finds its stores, and where it writes what it says."""

    redis: str
    database: str
    home: Path
    log: Path
    #: Every SQL statement's name is appended here; None: on PostgreSQL.
    statements: Path | None = None
    kill: StatementKill | None = None


def command(where: Surroundings, words: Sequence[str]) -> None:
    """A management command, as on the command line."""
    _enter(where)
    call_command(*words)


def operation(where: Surroundings, method: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    """One transition that an operator asks for."""
    _enter(where)
    getattr(Transitions(connection()), method)(*arguments, **options)


def schedule(where: Surroundings, due: datetime, told: Path) -> None:
    """Make a schedule that is due then, and every day; write the id of its job to `told`."""
    _enter(where)
    from ingest.maintenance.schedules import job_id
    from ingest.models import Schedule

    made = Schedule.objects.create(
        name="daily",
        interval_seconds=86_400,
        kind="alert",
        priority=QUEUE,
        body='{"title":"a"}',
        anchor=due,
        next_due=due,
    )
    told.write_text(job_id(made, due))


def spool(where: Surroundings, jobs: Sequence[NewJob]) -> None:
    """What web does with events while Redis is away."""
    _enter(where)
    from ingest.spool import Away, store

    def is_stored() -> bool:
        try:
            store(jobs)
        except Away:  # a busy machine may miss the 1.2 s that a sender would wait
            return False
        return True

    wait_until(is_stored, what="the spool")


def _enter(where: Surroundings) -> None:
    """Become a program of this lane, which dies with the fork server."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    log = os.open(where.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    for kind in workshop.KINDS:
        register(kind)
    clocks.shorten()
    settings.QUEUEADMIN_HOME = where.home  # where the workshop's handlers leave their effects
    settings.LEASE_SECONDS = clocks.LEASE
    settings.QUEUEADMIN_FAULTS = True
    settings.REDIS_URL = where.redis
    settings.RQ_QUEUES = {QUEUE: {**settings.RQ_QUEUES[QUEUE], "URL": where.redis}}
    use_database(where.database)
    if where.statements is not None:
        number_statements(where.statements, where.kill)


def use_database(url: str) -> None:
    """For this process, whatever the settings named."""
    if "default" in connections:
        connections["default"].close()
        del connections["default"]
    database = connections.settings["default"]
    if url.startswith("sqlite:"):
        database["NAME"] = environ.Env.db_url_config(url)["NAME"]
    else:
        database.update({"OPTIONS": {}, **environ.Env.db_url_config(url)})
