"""Bodies as the vendors document them, with values of our own."""

import json
from pathlib import Path
from typing import Any

from ingest.api import intake
from ingest.api.intake import Endpoint

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.json"))


def body(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def parsed(name: str) -> Any:
    return json.loads(body(name))


def endpoint(name: str) -> Endpoint:
    """Where a fixture is sent: its name begins with the vendor's."""
    vendor = name.partition("-")[0]
    if vendor == "posted":
        return intake.POSTED
    return intake.ENQUEUE if vendor == "enqueued" else intake.HOOKS[f"{intake.HOOKS_PATH}{vendor}"]
