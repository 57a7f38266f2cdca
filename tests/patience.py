"""How long the product waits for Redis, the database or its own search while somebody waits for it.

These waits are short: whoever sends is told soon. On a busy machine an answer comes later than that, events go into the
spool and a page says that it looked at a part. So tests wait as long as it takes, but for those of outages, which ask
for the `impatient` fixture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Final

import pytest

#: Seconds; well below pytest's own timeout.
LONG: Final = 60.0
_MODULES: Final = {
    "ACCEPTANCE_TIMEOUT": ("ingest.queue.connections", "ingest.api.tally", "ingest.api.pressure"),
    "WAIT": ("ingest.spool.writing",),
    "STATEMENT_MS": ("ingest.spool.writing",),
    "PATIENCE": ("ingest.spool.behind",),
    "WAIT_SECONDS": ("ingest.api.resolving", "ingest.api.mappings", "ingest.api.known_keys"),
    "LONGEST_WAIT_SECONDS": ("ingest.api.known_keys",),
    "SECONDS": ("queueadmin.console.job_lists.budget", "queueadmin.console.pages.failures"),
}
#: A wait: its module and its name there.
Wait = tuple[str, str]
_WAITS: Final = tuple((module, name) for name, modules in _MODULES.items() for module in modules)


def of_product() -> dict[Wait, float]:
    """As the product has them."""
    return {(module, name): getattr(import_module(module), name) for module, name in _WAITS}


def long() -> dict[Wait, float]:
    return {(module, name): LONG * (1000 if name.endswith("_MS") else 1) for module, name in _WAITS}


@contextmanager
def waiting(waits: dict[Wait, float]) -> Iterator[None]:
    """With these waits. Clients of Redis that were made with others are closed."""
    from ingest.queue.connections import close_connections

    with pytest.MonkeyPatch.context() as patched:
        for (module, name), wait in waits.items():
            patched.setattr(import_module(module), name, wait)
        close_connections()
        yield
    close_connections()
