"""The actions of `manage.py dlq` that change dead letters chosen by a filter: asked first, then exactly those."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import redis
from django.core.management.base import CommandError, OutputWrapper
from django.db import DatabaseError, InterfaceError

from ingest.queue.connections import connection, server_time
from queueadmin.console import operations
from queueadmin.console.command_line import actor
from queueadmin.console.dead_letters import Frozen, Record, freeze
from queueadmin.console.dead_letters.left_out import told, why_left
from queueadmin.console.failures import matching
from queueadmin.console.filters import Filter
from queueadmin.console.operations import REASON_FROM, FrozenResult
from queueadmin.console.operations.reasons import lacks_reason
from queueadmin.console.replays.choosing import COUNTED, choice
from queueadmin.console.words import dead_letters, listed

NOTHING: Final = "No dead letter matches."
_NOTHING_ELSE: Final = "No other dead letter matches."


class Changes:
    """What is done is written by `write`, questions and what is beside it go to `errors`.

    The actions raise CommandError, SystemExit, redis.RedisError and AuditUnavailable.
    """

    def __init__(self, write: Callable[[str], None], errors: OutputWrapper) -> None:
        self._write, self._errors = write, errors

    def retry(self, chosen: Filter, options: dict[str, Any]) -> None:
        if options["replay"]:
            self._replay(chosen, options)
            return
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
            self._tell_left(whys["poison"], whys["permanent"])
            to = options["to"]
            self._change(
                frozen,
                options,
                question=f"Put {dead_letters(len(frozen))} {f'into {to}' if to else 'back into their queues'}?",
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
                nothing=_NOTHING_ELSE if whys else NOTHING,
            )

    def _tell_left(self, poison: int, permanent: int) -> None:
        flags = [f"--include-{why}" for why, count in (("poison", poison), ("permanent", permanent)) if count]
        if flags:
            self._errors.write(f"{told(poison, permanent)}; see {listed(flags)}.")

    def _replay(self, chosen: Filter, options: dict[str, Any]) -> None:
        """Begin one when it is agreed to. Counted as in its form: to read a million takes minutes."""
        client = connection()
        found = choice(client, chosen, now=server_time(client), trash=False, most=COUNTED)
        include = {name: options[name] for name in ("include_poison", "include_permanent")}
        left = found.left_out(**include)
        self._tell_left(*left)
        count = found.count - sum(left)
        if not count and not found.more:
            raise CommandError(_NOTHING_ELSE if any(left) else NOTHING)
        many = f"{'at least ' if found.more else ''}{dead_letters(count)}"
        if options["dry_run"]:
            self._write(f"{many[0].upper()}{many[1:]} would be replayed.\n")
            return
        _need_reason(count, options)
        if not options["yes"] and not self._agreed(f"Replay {many}?"):
            raise CommandError("Nothing was changed.")
        try:
            begun = operations.start_replay(
                chosen,
                to=options["to"],
                **include,
                actor=actor(),
                reason=options["reason"],
            )
        except operations.NothingMatches:
            raise CommandError(NOTHING) from None
        except operations.ReasonNeeded as error:
            raise CommandError(f"{error} See --reason.", returncode=2) from None
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database does not answer: {error}") from None
        self._write(f"{begun.sentence} See /replays/{begun.replay.pk}/.\n")

    def discard(self, chosen: Filter, options: dict[str, Any]) -> None:
        now = server_time(connection())
        with freeze(matching(connection(), chosen, now=now)) as frozen:
            self._change(
                frozen,
                options,
                question=f"Move {dead_letters(len(frozen))} to the trash?",
                would="would be moved to the trash",
                change=lambda tell: operations.discard_frozen(
                    frozen, chosen=str(chosen.fixed(now)), actor=actor(), reason=options["reason"], tell=tell
                ),
            )

    def mark(self, chosen: Filter, options: dict[str, Any], *, permanent: bool = True) -> None:
        now = server_time(connection())
        what = "as permanent" if permanent else "as not permanent any more"

        def mark(frozen: Frozen) -> operations.MarkResult:
            ids = [place.id for _, places in frozen.chunks(500) for place in places]
            return operations.mark(ids, permanent=permanent, actor=actor(), reason=options["reason"])

        with freeze(matching(connection(), chosen, now=now)) as frozen:
            self._change(
                frozen,
                options,
                question=f"Mark {dead_letters(len(frozen))} {what}?",
                would=f"would be marked {what}",
                change=lambda _: mark(frozen),
            )

    def unmark(self, chosen: Filter, options: dict[str, Any]) -> None:
        self.mark(chosen, options, permanent=False)

    def _change(
        self,
        frozen: Frozen,
        options: dict[str, Any],
        *,
        question: str,
        would: str,
        change: Callable[[Callable[[FrozenResult], None]], FrozenResult | operations.MarkResult],
        nothing: str = NOTHING,
    ) -> None:
        """Ask, do it, say what was done; `nothing` is said where there is none."""
        if not len(frozen):
            raise CommandError(nothing)
        if options["dry_run"]:
            self._write(f"{dead_letters(len(frozen))} {would}.\n")
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
        self._write(result.sentence + "\n")
        if options["action"] == "discard" and isinstance(result, FrozenResult) and result.moved:
            self._errors.write(f"To bring it back: manage.py dlq undo {result.operation}")
        if not result.moved:
            raise SystemExit(1)

    def _agreed(self, question: str) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("Nobody can be asked here; say --yes.", returncode=2)
        self._errors.write(f"{question} [y/N] ", ending="")
        self._errors.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def _need_reason(count: int, options: dict[str, Any]) -> None:
    """Before anybody is asked; the operation would refuse it after that. Raises CommandError."""
    if lacks_reason(count, options["reason"]):
        raise CommandError(f"{dead_letters(count)} match; over {REASON_FROM} need --reason.", returncode=2)
