"""`python -m bench`: measure, and print one table."""

import argparse
import importlib
import json
import signal
import sys
import time
from collections.abc import Iterator

from bench import machine
from bench.ground import Ground, Unmeasured
from bench.report import Row, as_json, medians, table

#: One module each, in the order of the table.
GROUPS = (
    "drain",
    "enqueue",
    "memory",
    "idle",
    "recovery",
    "requeue",
    "freeze",
    "policies",
    "spool",
    "scripts",
    "snapshot",
    "alerts",
    "pages",
    "dead_letters",
    "viewers",
    "screen",
    "posts",
    "bulk",
    "points",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure this project beside its peers.")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--only", action="append", choices=GROUPS, help="this group of rows; may be given again")
    parser.add_argument("--seconds", type=float, default=5, help="how long each thing is measured (5)")
    parser.add_argument("--rounds", type=int, default=1, help="measure all so often, and show medians (1)")
    parser.add_argument("--no-peers", action="store_true", help="this project alone; nothing is installed")
    parser.add_argument("--tiny", action="store_true", help="sizes so small that only the bench itself is tested")
    options = parser.parse_args()

    # As Ctrl-C: whatever was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    groups = [group for group in GROUPS if not options.only or group in options.only]
    facts = {**machine.facts(), "rounds": options.rounds, "seconds": options.seconds}
    rounds = []
    for number in range(options.rounds):
        _tell(f"round {number + 1} of {options.rounds}")
        rounds.append(list(_round(groups, options)))
    rows = medians(rounds)
    if options.json:
        print(json.dumps({"machine": facts, "rows": [as_json(row) for row in rows]}, indent=1))
    else:
        print(f"{machine.sentence(facts)}\n\n{table(rows)}")


def _round(groups: list[str], options: argparse.Namespace) -> Iterator[Row]:
    def ground() -> Ground:
        return Ground(seconds=options.seconds, small=options.tiny, peers=not options.no_peers)

    if options.tiny:  # making a ground takes longer than all the rest
        with ground() as shared:
            for group in groups:
                yield from _rows(group, shared)
    else:
        for group in groups:
            with ground() as own:  # so that none finds what another left behind
                yield from _rows(group, own)


def _rows(group: str, ground: Ground) -> Iterator[Row]:
    _tell(f"{group} …")
    try:
        for row in importlib.import_module(f"bench.{group}").rows(ground):
            _tell(table([row]))
            yield row
    except Unmeasured as error:
        yield Row(group, group, "", "more", None, note=str(error))


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
