"""A short sample of the long faults, on SQLite: `make chaos` brings each for a minute or two, on both databases.

Issue 4: Redis is stopped under load and every 202 is processed, on both faces; the web process is killed at moments of
chance under load, and the ledger of the senders agrees with the database, also for requests under an Idempotency-Key.
"""

import random
from collections.abc import Iterator

import pytest

from tests.chaos.disk import can_be_mounted
from tests.chaos.faults import FAULTS
from tests.chaos.product import Product, Setup
from tests.chaos.run_fault import run_fault
from tests.chaos.table import line

FAULT = {fault.name: fault for fault in FAULTS}
SAMPLE = ("web-again", "valkey-away", "held-back", "valkey-away-django")
#: `alone` has a sample in tests/flows/test_without_redis.py, too.
LONG = ("web-and-valkey", "valkey-file-limit", "alone", "disk-full")


@pytest.fixture(scope="module")
def product(request: pytest.FixtureRequest) -> Iterator[Product]:
    setup: Setup = request.param
    if setup.disk and not can_be_mounted():
        pytest.skip("a small disk cannot be mounted, which needs root")
    running = Product(None, setup)
    try:
        yield running.start()
    finally:
        running.discard()


# Sorted, so that those of one product follow one another and it is started once.
@pytest.mark.parametrize(
    ("product", "name"),
    [
        pytest.param(FAULT[name].setup, name, id=name, marks=[pytest.mark.long] if name in LONG else [])
        for name in sorted((*SAMPLE, *LONG), key=lambda name: str(FAULT[name].setup))
    ],
    indirect=["product"],
)
def test_what_was_accepted_is_processed_once_in_spite_of(product: Product, name: str) -> None:
    row = run_fault(product, FAULT[name], random.Random(4), number=len(name), brief=True)
    assert not row.failed, f"\n{line(row)}"
    assert row.processed > 100, line(row)
