"""`manage.py dlq`: dead letters from the command line, by the same filters as everywhere."""

import json
import os
import re
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections import Counter
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
from queueadmin.console import operations
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.command_line import actor, typed
from queueadmin.console.dead_letters import Frozen, Record, freeze
from queueadmin.console.dead_letters.export import lines
from queueadmin.console.dead_letters.left_out import told, why_left
from queueadmin.console.dead_letters.tables import group_table, record_table, summary
from queueadmin.console.failures import matching
from queueadmin.console.failures.causes import causes
from queueadmin.console.failures.triage import SORTS
from queueadmin.console.filters import KEYS, Filter, FilterError, parse
from queueadmin.console.management import dlq_policies, dlq_trash
from queueadmin.console.operations import REASON_FROM, FrozenResult
from queueadmin.console.operations.reasons import lacks_reason
from queueadmin.console.saved_views import shared
from queueadmin.console.words import listed

_NOTHING: Final = "No dead letter matches."
_NOTHING_ELSE: Final = "No other dead letter matches."
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
                getattr(self, f"_{action}")(chosen, options)
            self.stdout.flush()
        except redis.RedisError as error:
            raise CommandError(f"Redis does not answer: {error}") from None
        except AuditUnavailable as error:
            raise CommandError(str(error)) from None
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

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
            raise CommandError(_NOTHING)

    def _groups(self, chosen: Filter, options: dict[str, Any]) -> None:
        client = connection()
        found = causes(client, chosen, now=server_time(client), sort=options["sort"], limit=_MOST_GROUPS)
        groups = found.items
        if options["json"]:
            self._print(json.dumps({"items": [asdict(group) for group in groups]}, indent=2, default=_plain) + "\n")
        elif groups:
            self._print("".join(f"{line}\n" for line in group_table(groups)))
        if not groups:
            raise CommandError(_NOTHING)

    def _retry(self, chosen: Filter, options: dict[str, Any]) -> None:
        whys: Counter[str] = Counter()
        include = {name: options[name] for name in ("include_poison", "include_permanent")}

        def without_left(records: Iterator[Record]) -> Iterator[Record]:
            for record in records:
                error, permanent = record.shown["error"], record.shown["permanent"]
                if why := why_left(error["reason"], permanent=permanent, **include):
                    whys[why] += 1
                else:
                    yield record

        now = server_time(connection())
        with freeze(without_left(matching(connection(), chosen, now=now))) as frozen:
            if whys:
                flags = listed([f"--include-{why}" for why in ("poison", "permanent") if whys[why]])
                self.stderr.write(f"{told(whys['poison'], whys['permanent'])}; see {flags}.")
            to = options["to"]
            if options["replay"]:
                self._replay(chosen, len(frozen), options)
                return
            self._change(
                frozen,
                options,
                question=f"Put {_dead_letters(len(frozen))} {f'into {to}' if to else 'back into their queues'}?",
                would=f"would be put {f'into {to}' if to else 'back into their queues'}",
                change=lambda tell: operations.retry_frozen(
                    frozen,
                    chosen=str(chosen.fixed(now)),
                    to=to,
                    **whys,
                    actor=actor(),
                    reason=options["reason"],
                    tell=tell,
                ),
                nothing=_NOTHING_ELSE if whys else _NOTHING,
            )

    def _replay(self, chosen: Filter, count: int, options: dict[str, Any]) -> None:
        """Begin one with what matches when it is agreed to; `count` do now."""
        if options["dry_run"]:
            self._print(f"{_dead_letters(count)} would be replayed.\n")
            return
        _need_reason(count, options)
        if count and not options["yes"] and not self._agreed(f"Replay {_dead_letters(count)}?"):
            raise CommandError("Nothing was changed.")
        try:
            begun = operations.start_replay(
                chosen,
                to=options["to"],
                include_poison=options["include_poison"],
                include_permanent=options["include_permanent"],
                actor=actor(),
                reason=options["reason"],
            )
        except operations.NothingMatches:
            raise CommandError(_NOTHING) from None
        except operations.ReasonNeeded as error:
            raise CommandError(f"{error} See --reason.", returncode=2) from None
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database does not answer: {error}") from None
        self._print(f"{begun.sentence} See /replays/{begun.replay.pk}/.\n")

    def _discard(self, chosen: Filter, options: dict[str, Any]) -> None:
        now = server_time(connection())
        with freeze(matching(connection(), chosen, now=now)) as frozen:
            self._change(
                frozen,
                options,
                question=f"Move {_dead_letters(len(frozen))} to the trash?",
                would="would be moved to the trash",
                change=lambda tell: operations.discard_frozen(
                    frozen, chosen=str(chosen.fixed(now)), actor=actor(), reason=options["reason"], tell=tell
                ),
            )

    def _mark(self, chosen: Filter, options: dict[str, Any], *, permanent: bool = True) -> None:
        now = server_time(connection())
        what = "as permanent" if permanent else "as not permanent any more"

        def mark(frozen: Frozen) -> operations.MarkResult:
            ids = [place.id for _, places in frozen.chunks(500) for place in places]
            return operations.mark(ids, permanent=permanent, actor=actor(), reason=options["reason"])

        with freeze(matching(connection(), chosen, now=now)) as frozen:
            self._change(
                frozen,
                options,
                question=f"Mark {_dead_letters(len(frozen))} {what}?",
                would=f"would be marked {what}",
                change=lambda _: mark(frozen),
            )

    def _unmark(self, chosen: Filter, options: dict[str, Any]) -> None:
        self._mark(chosen, options, permanent=False)

    def _change(
        self,
        frozen: Frozen,
        options: dict[str, Any],
        *,
        question: str,
        would: str,
        change: Callable[[Callable[[FrozenResult], None]], FrozenResult | operations.MarkResult],
        nothing: str = _NOTHING,
    ) -> None:
        """Ask, do it, say what was done; `nothing` is said where there is none."""
        if not len(frozen):
            raise CommandError(nothing)
        if options["dry_run"]:
            self._print(f"{_dead_letters(len(frozen))} {would}.\n")
            return
        _need_reason(len(frozen), options)
        if not options["yes"] and not self._agreed(question):
            raise CommandError("Nothing was changed.")
        last: FrozenResult | None = None

        def tell(result: FrozenResult) -> None:
            nonlocal last
            last = result

        try:
            result = change(tell)
        except (redis.RedisError, KeyboardInterrupt) as error:
            done = last.sentence if last else "Nothing was changed."
            why = "Stopped" if isinstance(error, KeyboardInterrupt) else f"Redis does not answer: {error}"
            raise CommandError(f"{why}. {done}") from None
        self._print(result.sentence + "\n")
        if options["action"] == "discard" and isinstance(result, FrozenResult) and result.moved:
            self.stderr.write(f"To bring it back: manage.py dlq undo {result.operation}")
        if not result.moved:
            raise SystemExit(1)

    def _agreed(self, question: str) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("Nobody can be asked here; say --yes.", returncode=2)
        self.stderr.write(f"{question} [y/N] ", ending="")
        self.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

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
            self.stderr.write(f"{_dead_letters(count)} written to {output}.")
        if not count:
            raise CommandError(_NOTHING)

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


def _need_reason(count: int, options: dict[str, Any]) -> None:
    """Before anybody is asked; the operation would refuse it after that. Raises CommandError."""
    if lacks_reason(count, options["reason"]):
        raise CommandError(f"{_dead_letters(count)} match; over {REASON_FROM} need --reason.", returncode=2)


def _dead_letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count:,} dead letters"


def _positive(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
