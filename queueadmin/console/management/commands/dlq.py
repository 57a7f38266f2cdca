"""`manage.py dlq`: dead letters from the command line, by the same filters as everywhere."""

import json
import os
import re
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from ingest.queue.connections import connection, server_time
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.command_line import typed
from queueadmin.console.dead_letters import Record
from queueadmin.console.dead_letters.export import lines
from queueadmin.console.dead_letters.tables import group_table, record_table, summary
from queueadmin.console.failures import matching
from queueadmin.console.failures.causes import causes
from queueadmin.console.failures.triage import SORTS
from queueadmin.console.filters import KEYS, Filter, FilterError, parse
from queueadmin.console.management import dlq_policies, dlq_trash
from queueadmin.console.management.dlq_changes import NOTHING, Changes
from queueadmin.console.operations import REASON_FROM
from queueadmin.console.saved_views import shared
from queueadmin.console.words import dead_letters

_MOST_GROUPS: Final = 1_000_000
#: A term that begins with a minus, which argparse would take for an option: all but -h and -v.
_NEGATED: Final = re.compile(r"-(?!-|h$|v\d?$)\S")

_FILTER_HELP: Final = f"""\
A filter is terms with spaces between; all must match. Without one, all dead letters do.
  keys    {", ".join(f"{key}:" for key in KEYS)}
  kind:alert,task      one of these         -source:zabbix   not this
  error:ValueError     the exception        reason:timeout   error, timeout, poison, permanent, unreadable, not_allowed
  permanent:yes        somebody marked it   permanent:no     all others
  since:2h until:15m   when it failed       older:7d         longer ago than this
  "no such device"     these words one after the other in its id, title, error or payload, the last also as a beginning
Put the whole filter in single quotes: manage.py dlq list 'queue:high -source:zabbix "no such device"'

Exit code: 0 done; 1 nothing matched or moved, or Redis or the database is away; 2 command or filter are wrong."""


#: Actions that are of no filter.
_UNFILTERED: Final = {"undo": dlq_trash.undo, "purge": dlq_trash.purge, "policies": dlq_policies.run}


class _Parser(CommandParser):
    """Takes -kind:alert for what it is, also outside of quotes."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # What begins with a space is no option to argparse, and no less a filter.
        return super().parse_known_args([f" {arg}" if _NEGATED.match(arg) else arg for arg in args or ()], namespace)


class Command(BaseCommand):
    help = "List, group, retry, discard, bring back and export dead letters, and say how long they are kept."

    def add_arguments(self, parser: CommandParser) -> None:
        def action(name: str, told: str) -> ArgumentParser:
            made: ArgumentParser = actions.add_parser(
                name, help=told, description=told, epilog=_FILTER_HELP, formatter_class=RawDescriptionHelpFormatter
            )
            made.add_argument("filter", nargs="*", metavar="FILTER")
            made.add_argument(
                "--view", type=typed, metavar="NAME", help="of what this saved view, which is for all, chooses"
            )
            return made

        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
        listing = action("list", "the dead letters that match, the newest first")
        listing.add_argument("--limit", type=_positive, default=50, metavar="N", help="at most so many (50)")
        listing.add_argument("--json", action="store_true", help="as one JSON object: items, more")
        grouping = action("groups", "what they have in common: one line for each cause")
        grouping.add_argument("--sort", choices=SORTS, default=SORTS[0], help="the most or the latest first (count)")
        grouping.add_argument("--json", action="store_true", help="as one JSON object: items")
        retry = action("retry", "put back into their queues exactly those that match now")
        retry.add_argument("--to", choices=settings.PRIORITIES, metavar="QUEUE", help="into this queue instead")
        retry.add_argument(
            "--include-poison",
            action="store_true",
            help="also jobs that crashed their worker three times",
        )
        retry.add_argument("--include-permanent", action="store_true", help="also jobs that are marked permanent")
        retry.add_argument(
            "--replay", action="store_true", help="begin a replay: a few first, then faster, watched by maintenance"
        )
        why = f"why, for the audit log; needed for over {REASON_FROM}"
        discard = action("discard", "move to the trash, for 24 hours, exactly those that match now")
        for changing in (retry, discard):
            changing.add_argument("--reason", type=typed, default="", help=why)
            changing.add_argument("--dry-run", action="store_true", help="only say how many it would be")
            changing.add_argument("--yes", action="store_true", help="do not ask")
        marking = action(
            "mark", "say that those that match now will never succeed: retries of many and replays leave them"
        )
        unmarking = action("unmark", "take that back")
        for changing in (marking, unmarking):
            changing.add_argument("--reason", type=typed, default="", help=why)
            changing.add_argument("--dry-run", action="store_true", help="only say how many it would be")
            changing.add_argument("--yes", action="store_true", help="do not ask")
        export = action("export", "write those that match to a file, credentials masked")
        export.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="csv, or a JSON object a line")
        export.add_argument("--output", type=Path, metavar="FILE", help="write it there, not to the terminal")

        told = "bring back what an operation put into the trash: a discard, an emptied queue, a replay"
        undo = actions.add_parser("undo", help=told, description=told)
        told = "delete what is in a queue's trash for good"
        dlq_trash.add_arguments(undo, actions.add_parser("purge", help=told, description=told))
        told = "how long dead letters are kept: list, set and remove policies"
        dlq_policies.add_arguments(actions.add_parser("policies", help=told, description=told), _positive)

    def handle(self, *args: Any, **options: Any) -> None:
        action = options["action"]
        chosen = self._chosen(options) if action not in _UNFILTERED else Filter()
        try:
            if action in _UNFILTERED:
                _UNFILTERED[action](options, self._print)
            else:
                self._of_filter(action)(chosen, options)
            self.stdout.flush()
        except redis.RedisError as error:
            raise CommandError(f"Redis does not answer: {error}") from None
        except AuditUnavailable as error:
            raise CommandError(str(error)) from None
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _of_filter(self, action: str) -> Callable[[Filter, dict[str, Any]], None]:
        changes = Changes(self._print, self.stderr)
        return {
            "list": self._list,
            "groups": self._groups,
            "export": self._export,
            "retry": changes.retry,
            "discard": changes.discard,
            "mark": changes.mark,
            "unmark": changes.unmark,
        }[action]

    def _chosen(self, options: dict[str, Any]) -> Filter:
        try:
            return parse(f"{self._of_view(options['view'])} {' '.join(options['filter'])}")
        except FilterError as error:
            raise CommandError(f"The filter is wrong. {error}", returncode=2) from None

    def _of_view(self, name: str | None) -> str:
        if name is None:
            return ""
        try:
            view = shared(name)
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database does not answer: {error}") from None
        if view is None:
            raise CommandError(f"No view that is for all has the name {name}.", returncode=2)
        return view.filter

    def _list(self, chosen: Filter, options: dict[str, Any]) -> None:
        found = _matching(chosen, events=True)
        count = 0
        if options["json"]:
            self._print('{"items": [')
            for record in islice(found, options["limit"]):
                self._print((",\n" if count else "\n") + json.dumps(summary(record), default=_plain))
                count += 1
            more = next(found, None) is not None
            self._print(f'\n], "more": {json.dumps(more)}}}\n')
        else:
            for line, records in record_table(found, limit=options["limit"]):
                self._print(line + "\n")
                count += records
        if not count:
            raise CommandError(NOTHING)

    def _groups(self, chosen: Filter, options: dict[str, Any]) -> None:
        client = connection()
        found = causes(client, chosen, now=server_time(client), sort=options["sort"], limit=_MOST_GROUPS)
        groups = found.items
        if options["json"]:
            self._print(json.dumps({"items": [asdict(group) for group in groups]}, indent=2, default=_plain) + "\n")
        elif groups:
            self._print("".join(f"{line}\n" for line in group_table(groups)))
        if not groups:
            raise CommandError(NOTHING)

    def _export(self, chosen: Filter, options: dict[str, Any]) -> None:
        count = 0

        def counted(records: Iterator[Record]) -> Iterator[Record]:
            nonlocal count
            for record in records:
                count += 1
                yield record

        text = lines(counted(_matching(chosen, events=True)), options["format"])
        output: Path | None = options["output"]
        if output is None:
            for line in text:
                self._print(line)
        else:
            try:
                _write(output, text)
            except OSError as error:
                raise CommandError(f"{output} cannot be written: {error.strerror}.") from None
            self.stderr.write(f"{dead_letters(count)} written to {output}.")
        if not count:
            raise CommandError(NOTHING)

    def _print(self, text: str) -> None:
        # Half a surrogate pair, which JSON can name, is no text.
        self.stdout.write(text.encode(errors="replace").decode(), ending="")


def _matching(chosen: Filter, *, events: bool = False) -> Iterator[Record]:
    client = connection()
    return matching(client, chosen, now=server_time(client), events=events)


def _write(output: Path, text: Iterator[str]) -> None:
    """The whole file or none, and for its owner alone: it holds what senders sent."""
    with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as file:
        try:
            for line in text:
                file.write(line.encode(errors="replace"))
            file.flush()
            os.replace(file.name, output)
        except BaseException:
            os.unlink(file.name)
            raise


def _positive(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
