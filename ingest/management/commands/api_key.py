"""Create, list and revoke the keys of senders."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone

from ingest.api.keys import SCOPES, digest, new_key
from ingest.models import ApiKey

#: A key's first characters, kept to tell keys apart: 54 of its 256 random bits.
SHOWN = 12


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key; it is shown once, alone on the last line")
        create.add_argument("name")
        create.add_argument("--scopes", default="ingest", help=f"comma-separated, of {', '.join(SCOPES)}")
        actions.add_parser("list", help="every key, revoked ones too")
        revoke = actions.add_parser("revoke", help="stop a key within 5 s, for good")
        revoke.add_argument("name")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        match action:
            case "create":
                self._create(options["name"], options["scopes"])
            case "list":
                self._list()
            case "revoke":
                self._revoke(options["name"])

    def _create(self, name: str, scopes: str) -> None:
        wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
        unknown = sorted(set(wanted) - set(SCOPES))
        if unknown or not wanted:
            raise CommandError(f"--scopes must be of {', '.join(SCOPES)}, not {', '.join(unknown) or 'empty'}.")
        if not name.isprintable() or not 1 <= len(name) <= 100:
            raise CommandError("NAME must have 1 to 100 printable characters.")
        key = new_key()
        try:
            with transaction.atomic():
                ApiKey.objects.create(
                    name=name,
                    prefix=key[:SHOWN],
                    digest=digest(key),
                    scopes=",".join(scope for scope in SCOPES if scope in wanted),
                )
        except IntegrityError:
            raise CommandError(f"There is a key named {name!r} already; names are never used twice.") from None
        self.stderr.write(f"The key {name} is shown this once; only its hash is kept.")
        self.stdout.write(key)

    def _list(self) -> None:
        for key in ApiKey.objects.order_by("created_at"):
            state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M} UTC" if key.revoked_at else "active"
            self.stdout.write(
                f"{key.name}\t{key.prefix}…\t{key.scopes}\tcreated {key.created_at:%Y-%m-%d %H:%M} UTC\t{state}"
            )

    def _revoke(self, name: str) -> None:
        if not ApiKey.objects.filter(name=name, revoked_at=None).update(revoked_at=timezone.now()):
            raise CommandError(f"There is no active key named {name!r}.")
        self.stdout.write(f"The key {name} is revoked; it stops working within 5 s.")
