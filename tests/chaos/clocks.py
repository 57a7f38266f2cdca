"""Short clocks: what takes half a minute in earnest takes a second under chaos, and is the same otherwise."""

from dataclasses import replace
from typing import Final

from django.apps import AppConfig

from tests.chaos.statements import number_as_told

#: Seconds. A lease is 1 s at least, by its setting.
LEASE: Final = 1
RETRY_DELAYS: Final = (0.1, 0.3, 0.6)
TIMEOUT: Final = 3


def shorten() -> None:
    """For this process, and those that it forks."""
    from ingest.api import idempotency
    from ingest.kinds import KINDS
    from ingest.maintenance import leader, process, recovery
    from ingest.worker import worker

    idempotency.RUNNING_SECONDS = 3  # type: ignore[misc]
    recovery.PATIENCE = 1.0  # type: ignore[misc]
    process.ROUND = 0.2  # type: ignore[misc]
    leader.LEASE = 3  # type: ignore[misc]
    worker.GRACE = 0.5  # type: ignore[misc]
    for name, kind in KINDS.items():
        KINDS[name] = replace(kind, timeout=TIMEOUT, retry_delays=RETRY_DELAYS)


class ShortClocks(AppConfig):
    """In INSTALLED_APPS of `tests.chaos.settings`, so that every program of an instance has them."""

    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        shorten()
        number_as_told()
