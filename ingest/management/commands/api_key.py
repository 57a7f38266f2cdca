"""Create, list, rotate and revoke the keys of senders."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ingest.api import keyring
from ingest.api.keyring import Key, KeyRefused, NewSecret
from ingest.api.keys import SCOPES
from ingest.priorities import PRIORITIES

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def _expiry(text: str) -> datetime:
    """`90d`, `12h`, `30m` from now on, or an RFC 3339 time."""
    try:
        if found := re.fullmatch(r"(\d{1,6})([mhd])", text):
            return timezone.now() + timedelta(**{_UNITS[found[2]]: int(found[1])})
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ArgumentTypeError("must be like 90d, 12h or 30m, or a time like 2027-01-31T00:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key; it is shown once, alone on the last line")
        create.add_argument("name")
        create.add_argument("--scopes", default="ingest", help=f"comma-separated, of {', '.join(SCOPES)}")
        create.add_argument("--rate", type=float, help="events a second that it may send (default: no limit)")
        create.add_argument("--burst", type=int, help="events at once (default: those of one second)")
        create.add_argument("--source", default="", help="what it sends is from this source")
        create.add_argument("--tenant", default="", help="it sends, reads and operates this tenant only")
        create.add_argument("--max-priority", default="", help=f"its events are at most {', '.join(PRIORITIES)}")
        create.add_argument("--expires", type=_expiry, help="90d, 12h, 30m, or an RFC 3339 time (default: never)")
        actions.add_parser("list", help="every key, revoked ones too")
        rotate = actions.add_parser("rotate", help="a new secret, shown once, alone on the last line")
        rotate.add_argument("name")
        rotate.add_argument(
            "--keep-minutes",
            type=float,
            default=keyring.ROTATE_MINUTES,
            help="how long the old secret stays good (default: 60; 0: it stops within 5 s)",
        )
        revoke = actions.add_parser("revoke", help="stop a key within 5 s, for good")
        revoke.add_argument("name")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            match action:
                case "create":
                    self._create(options)
                case "list":
                    self._list()
                case "rotate":
                    self._rotate(options["name"], options["keep_minutes"])
                case "revoke":
                    keyring.revoke(options["name"])
                    self.stdout.write(f"The key {options['name']} is revoked; it stops working within 5 s.")
        except KeyRefused as refused:
            raise CommandError(str(refused)) from None

    def _create(self, options: dict[str, Any]) -> None:
        new = keyring.create(
            options["name"],
            scopes=[scope.strip() for scope in options["scopes"].split(",") if scope.strip()],
            source=options["source"],
            tenant=options["tenant"],
            max_priority=options["max_priority"],
            rate=options["rate"],
            burst=options["burst"],
            expires_at=options["expires"],
        )
        self._show(new)

    def _rotate(self, name: str, keep_minutes: float) -> None:
        new = keyring.rotate(name, keep_minutes=keep_minutes)
        until = new.key.previous_until
        ends = f"stays good until {_time(until)}" if until else "stops working within 5 s"
        self.stderr.write(f"The secret of {name} until now {ends}.")
        self._show(new)

    def _show(self, new: NewSecret) -> None:
        self.stderr.write(f"The key {new.key.name} is shown this once; only its hash is kept.")
        self.stdout.write(new.secret)

    def _list(self) -> None:
        for key in keyring.all_keys():
            columns = [key.name, f"{key.prefix}…", ",".join(key.scopes), f"created {_time(key.created_at)}"]
            used = f"used {_time(key.last_used_at)}" if key.last_used_at else "never used"
            self.stdout.write("\t".join([*columns, *_limits(key), used, _state(key)]))


def _limits(key: Key) -> list[str]:
    """What the key is bound to; nothing for one that is free."""
    return [
        *([f"source {key.source}"] if key.source else []),
        *([f"tenant {key.tenant}"] if key.tenant else []),
        *([f"at most {key.max_priority}"] if key.max_priority else []),
        *([f"{key.rate:g} events/s, {key.burst:,} at once"] if key.rate else []),
        *([f"expires {_time(key.expires_at)}"] if key.expires_at and key.state == "active" else []),
        *([f"secret before good until {_time(key.previous_until)}"] if key.previous_until else []),
    ]


def _state(key: Key) -> str:
    if key.revoked_at:
        return f"revoked {_time(key.revoked_at)}"
    return f"expired {_time(key.expires_at)}" if key.expires_at and key.state == "expired" else "active"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
