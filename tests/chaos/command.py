"""The command line of `make chaos`, and what it runs in which order."""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.chaos.crash_points import Outcome, Round, points, strikes
from tests.chaos.disk import can_be_mounted
from tests.chaos.faults import FAULTS
from tests.chaos.lane import Lane
from tests.chaos.lives import LIVES, Life
from tests.chaos.product import Product, Setup
from tests.chaos.run_fault import run_fault
from tests.chaos.scene import Fault
from tests.chaos.table import Row, head, line, say
from tests.postgres import Cluster, programs

CRASH_POINTS: Final = "crash-points"
#: Lives lived at once.
LANES: Final = 3
_STRUCK: Final = {"web": "web", "worker": "a worker", "maintain": "maintenance", "operator": "whoever asks for it"}


def run(arguments: Sequence[str]) -> int:
    """Needs the environment that `__main__` sets. Returns the exit status."""
    return Chaos(_options(arguments)).run()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make chaos", description="Faults on purpose; exit 1 when an accepted event was lost or doubled."
    )
    parser.add_argument("--seed", type=int, help="repeats the choices of an earlier run; by default a new one")
    parser.add_argument("--minutes", type=float, help="go round in random order for so long; by default each once")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help=f"one fault, {CRASH_POINTS}, or {CRASH_POINTS}/LIFE; may be given several times",
    )
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="one database; by default both")
    parser.add_argument("--list", action="store_true", help="print what there is and exit")
    return parser.parse_args(arguments)


class Chaos:
    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
        self._rng = random.Random(self._seed)
        names = [*(fault.name for fault in FAULTS), CRASH_POINTS, *(f"{CRASH_POINTS}/{life.name}" for life in LIVES)]
        if unknown := set(options.only) - set(names):
            sys.exit(f"There is no {', '.join(sorted(unknown))}. There are: {', '.join(names)}.")
        wanted = set(options.only) or {*names}
        self._faults = [fault for fault in FAULTS if fault.name in wanted]
        self._lives = [life for life in LIVES if {CRASH_POINTS, f"{CRASH_POINTS}/{life.name}"} & wanted]
        self._rows: list[Row] = []
        self._ends = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
        self._runs = 0

    def run(self) -> int:
        if self._options.list:
            self._list()
            return 0
        say(f"make chaos --seed {self._seed}")
        say()
        say(head())
        started = time.monotonic()
        if self._faults:
            # The crash points have the second half of the time.
            ends = started + (self._ends - started) / (2 if self._lives else 1)
            self._run_faults(ends)
        if self._lives:
            self._run_crash_points()
        bad = [row for row in self._rows if row.failed]
        say()
        say(
            f"{sum(row.sent for row in self._rows)} events sent, {sum(row.accepted for row in self._rows)} accepted,"
            f" {sum(row.lost for row in self._rows)} lost, {sum(row.doubled for row in self._rows)} doubled"
            f" in {(time.monotonic() - started) / 60:.1f} minutes"
        )
        if bad:
            say(f"{len(bad)} of {len(self._rows)} went wrong: {', '.join(dict.fromkeys(row.fault for row in bad))}")
        return 1 if bad or not self._rows else 0

    def _list(self) -> None:
        for fault in self._faults:
            say(f"{fault.name:<28}{fault.what}")
        for life in self._lives:
            say(f"{CRASH_POINTS + '/' + life.name:<28}{life.way}; at each message of {_STRUCK[life.struck]}")

    def _tell(self, row: Row) -> None:
        self._rows.append(row)
        say(line(row))

    # --- faults -------------------------------------------------------------------------------

    def _run_faults(self, ends: float) -> None:
        while True:
            for vendor in self._databases():
                with _cluster(vendor) as cluster:
                    for setup in dict.fromkeys(fault.setup for fault in self._faults):
                        faults = [f for f in self._faults if f.setup == setup and vendor in f.databases]
                        if self._options.minutes:
                            self._rng.shuffle(faults)
                        self._run_on(cluster, faults, ends, setup)
            if not self._options.minutes or time.monotonic() > ends:
                return

    def _run_on(self, cluster: Cluster | None, faults: Sequence[Fault], ends: float, setup: Setup) -> None:
        if not faults or time.monotonic() > ends:
            return
        if setup.disk and not can_be_mounted():
            left_out = ", ".join(fault.name for fault in faults)
            sys.stderr.write(f"A small disk cannot be mounted, which needs root; {left_out} is left out.\n")
            return
        product = Product(cluster, setup)
        try:
            product.start()
            for fault in faults:
                if time.monotonic() > ends:
                    return
                self._runs += 1
                row = run_fault(product, fault, random.Random(self._rng.random()), number=self._runs)
                self._tell(row)
                if row.failed:  # what one fault leaves behind must not be another's
                    product.discard()
                    product = Product(cluster, setup).start()
        finally:
            product.discard()

    def _databases(self) -> list[str]:
        vendors = [self._options.database] if self._options.database else ["sqlite", "postgresql"]
        if "postgresql" in vendors and programs() is None:
            sys.stderr.write("PostgreSQL's server programs (initdb, postgres) were not found; it is left out.\n")
            vendors.remove("postgresql")
        return vendors

    # --- crash points -------------------------------------------------------------------------

    def _run_crash_points(self) -> None:
        for vendor in self._databases():
            with _cluster(vendor) as cluster, _closing([]) as lanes:
                lanes += [Lane(cluster, name=str(number)) for number in range(LANES)]
                for life in self._lives:
                    if time.monotonic() > self._ends:
                        return
                    todo = list(strikes(points(lanes[0], life)))
                    self._rng.shuffle(todo)
                    summary = Summary(life, vendor)
                    Round(lanes, summary.add, self._ends).run([(life, strike) for strike in todo])
                    self._tell(summary.row())


class Summary:
    """The crash points of one life on one database as one row."""

    def __init__(self, life: Life, vendor: str) -> None:
        self._life = life
        self._vendor = vendor
        self._outcomes: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)

    def row(self) -> Row:
        found = [outcome.findings for outcome in self._outcomes]
        struck = sum(outcome.struck for outcome in self._outcomes)
        return Row(
            f"{CRASH_POINTS}/{self._life.name} {struck}/{len(found)}",
            self._vendor,
            sent=sum(outcome.sent for outcome in self._outcomes),
            accepted=sum(outcome.sent for outcome in self._outcomes),
            processed=sum(each.processed for each in found),
            dead_letters=sum(each.dead_letters for each in found),
            lost=sum(each.lost for each in found),
            doubled=sum(each.doubled for each in found),
            seconds=max((outcome.seconds for outcome in self._outcomes), default=0.0),
            wrong=[
                f"{outcome.strike}: {'; '.join(outcome.findings.wrong)}"
                for outcome in self._outcomes
                if outcome.findings.wrong
            ],
        )


@contextmanager
def _cluster(vendor: str) -> Iterator[Cluster | None]:
    if vendor != "postgresql":
        yield None
        return
    cluster = Cluster()
    try:
        yield cluster
    finally:
        cluster.remove()


@contextmanager
def _closing(lanes: list[Lane]) -> Iterator[list[Lane]]:
    try:
        yield lanes
    finally:
        for lane in lanes:
            lane.close()
