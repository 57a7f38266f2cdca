"""`manage.py verify`: is every accepted job accounted for?"""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, Final

import redis
from django.core.management.base import BaseCommand, CommandError

from ingest.conservation import CAME, ENDED, HELD, Balance, Report, spooled, verify
from ingest.queue.connections import NeedsRedis, connection

#: Jobs named in the text; --json names them all.
_NAMED: Final = 20


class Command(BaseCommand):
    help = (
        "Account for every accepted job, on a live system: do the counters add up, and is each job in exactly one"
        " place? Exit code 0 and a table, or 1 and the jobs that are nowhere or twice. Reads only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the report as JSON, with every wrong job")
        parser.add_argument(
            "--sample", type=_positive, metavar="N", help="look at about N jobs only; the counters are checked whole"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = replace(verify(connection(), sample=options["sample"]), spooled=spooled())
        except NeedsRedis as error:
            raise CommandError(str(error)) from error
        except redis.RedisError as error:
            raise CommandError(f"Redis does not answer, so nothing can be verified: {error}") from error
        self.stdout.write(_json(report) if options["json"] else "\n".join(_text(report)))
        if not report.holds:
            raise SystemExit(1)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise ArgumentTypeError(f"must be a whole number from 1 to 1,000,000, not {text!r}")
    return int(text)


def _json(report: Report) -> str:
    shown = asdict(report) | {
        "holds": report.holds,
        "provable": report.provable,
        "accepted": report.accepted,
        "difference": report.difference,
        "sentence": report.sentence,
        "wrong": [asdict(wrong) | {"problem": wrong.problem} for wrong in report.wrong],
        "balances": [asdict(balance) | {"difference": balance.difference} for balance in report.balances],
    }
    return json.dumps(shown, indent=2)


def _text(report: Report) -> Iterator[str]:
    yield from _table(report.balances)
    yield ""
    yield report.sentence
    looked = f"{report.looked_at:,} jobs looked at" + ("" if report.whole else " (a sample)")
    if report.foreign:
        looked += f", {report.foreign:,} of them brought by stock clients"
    yield f"{looked}."
    if report.spooled is None:
        yield "The database does not answer, so nobody knows what is in the spool."
    elif report.spooled:
        yield f"{report.spooled:,} accepted events wait in the spool; they are in no counter before they are drained."
    for wrong in report.wrong[:_NAMED]:
        where = ", ".join(wrong.places) or "nowhere"
        yield f"{wrong.problem}: job {wrong.id} of {wrong.queue} says {wrong.status or 'nothing'}, and is {where}"
    if len(report.wrong) > _NAMED:
        yield f"and {len(report.wrong) - _NAMED:,} more; --json names them all"


def _table(balances: tuple[Balance, ...]) -> Iterator[str]:
    rows = [["", *(balance.queue for balance in balances), "all"]]

    def add(name: str, numbers: list[int]) -> None:
        rows.append([name.replace("_", " "), *(f"{number:,}" for number in numbers), f"{sum(numbers):,}"])

    for name in CAME:
        add(name, [balance.counts.get(name, 0) for balance in balances])
    for name in HELD:
        add(name, [balance.held[name] for balance in balances])
    for name in ENDED:
        add(name, [balance.counts.get(name, 0) for balance in balances])
    if any(balance.foreign for balance in balances):
        add("of stock clients", [balance.foreign for balance in balances])
    add("unaccounted", [balance.difference for balance in balances])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join([row[0].ljust(widths[0]), *cells]).rstrip()
