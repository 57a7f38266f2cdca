"""Orders that an outage refuses in three ways, and scans that kill whoever runs them.

What an order does is a row of `incident_ledger`, in the product's own database and in the transaction of its batch:
two rows of one order would be an order that was processed twice. The outage lasts as long as a file of this name stands
in the home.
"""

import json
import os
import signal
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db import connection

from ingest.kinds import Context, Kind
from ingest.queue.payload import Payload

OUTAGE: Final = "outage"
TABLE: Final = "incident_ledger"


def order(events: Sequence[Payload]) -> None:
    down = (settings.QUEUEADMIN_HOME / OUTAGE).exists()
    for payload in events:
        event = json.loads(payload.body)
        number = int(event["number"])
        if down or event.get("late"):
            _refuse(number)
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {TABLE} (number) VALUES (%s)", [number])  # noqa: S608 - a name of our own


def scan(payload: Payload, context: Context) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _refuse(number: int) -> None:
    match number % 3:
        case 0:
            raise ConnectionRefusedError(f"connect to 10.0.0.{number % 250}:5432 refused")
        case 1:
            raise TimeoutError(f"order {number} waited 30 s for the ledger")
        case _:
            raise LookupError(f"no ledger answers for order {number}")


KINDS = (
    Kind(name="order", validate=lambda event: None, handler=order, retry_delays=()),
    Kind(name="scan", validate=lambda event: None, handler=scan, batch=False, isolation="process", retry_delays=()),
)
