"""Faults on purpose against the whole product, and a ledger of what became of every event: `make chaos`."""
