"""One fault on one running product: load, fault, recovery, and the ledger's account of it."""

import random
import time

from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.product import DEADLINE, Product
from tests.chaos.scene import Fault, Scene
from tests.chaos.table import Row
from tests.waiting import wait_until


def run_fault(product: Product, fault: Fault, rng: random.Random, *, number: int, brief: bool = False) -> Row:
    """`number` tells the runs of one product apart. What goes wrong is in the row. `brief`: a sample of a long one."""
    ledger = Ledger(source=f"{fault.name}-{number}")
    load = Load(product.instance.url, ledger, rng, rare=dict(fault.rare), pause=fault.pause)
    scene = Scene(product, load, ledger, rng, brief)
    late = []
    load.start()
    try:
        fault.bring(scene)
    except AssertionError as error:
        late.append(str(error))
    finally:
        product.leave_alone()
        healed = time.monotonic()
    try:
        accepted = ledger.accepted
        wait_until(lambda: ledger.accepted > accepted, seconds=DEADLINE, what="taking in again")
    except AssertionError as error:
        late.append(str(error))
    load.stop()
    try:
        wait_until(product.settled, seconds=DEADLINE, what="the end of all jobs")
    except AssertionError as error:
        late.append(str(error))
    seconds = time.monotonic() - healed
    account = ledger.account(product.jobs, product.database, product.carried_out())
    late += product.verified()
    return Row(
        fault.name,
        product.database.vendor,
        sent=len(ledger.sent),
        accepted=ledger.accepted,
        processed=account.processed,
        dead_letters=account.dead_letters,
        lost=account.lost,
        doubled=account.doubled,
        seconds=seconds,
        wrong=[*late, *account.wrong],
    )
