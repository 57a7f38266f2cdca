"""With REDIS=false: the one process that runs what is spooled, by a lease in the database."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import F, Q

from ingest.models import SpoolLease

#: Seconds for which a process that says nothing stays the one.
LEASE: Final = 10.0
_ROW: Final = 1


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs it; "" when nobody does, and what has been run so far."""

    name: str = ""
    completed: int = 0
    dead: int = 0


def own_name() -> str:
    return f"{socket.gethostname()} {os.getpid()}"


def hold(name: str) -> bool:
    """Get or keep the lease; false while another process has it. Raises DatabaseError."""
    now = datetime.now(UTC)
    free = Q(holder=name) | Q(until__lt=now)
    held = SpoolLease.objects.filter(pk=_ROW)
    if held.filter(free).update(holder=name, until=now + timedelta(seconds=LEASE)):
        return True
    row, created = SpoolLease.objects.get_or_create(
        pk=_ROW, defaults={"holder": name, "until": now + timedelta(seconds=LEASE)}
    )
    if created:
        return True
    # A process of this machine that died: nobody waits for its lease to lapse.
    if not _is_dead(row.holder):
        return False
    return bool(held.filter(holder=row.holder).update(holder=name, until=now + timedelta(seconds=LEASE)))


def resign(name: str) -> None:
    """Give it up at once. Raises DatabaseError."""
    SpoolLease.objects.filter(pk=_ROW, holder=name).update(holder="", until=datetime.now(UTC))


def count(*, completed: int = 0, dead: int = 0) -> None:
    """In the transaction of what is counted."""
    SpoolLease.objects.filter(pk=_ROW).update(completed=F("completed") + completed, dead=F("dead") + dead)


def holder() -> Holder:
    """Raises DatabaseError."""
    row = SpoolLease.objects.filter(pk=_ROW).first()
    if row is None:
        return Holder()
    return Holder(row.holder if row.until > datetime.now(UTC) else "", row.completed, row.dead)


def _is_dead(name: str) -> bool:
    host, _, pid = name.partition(" ")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
