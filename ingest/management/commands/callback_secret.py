"""manage.py callback_secret: what receivers check the signatures of callbacks with."""

from typing import Any

from django.core.management.base import BaseCommand

from ingest.callbacks import signature


class Command(BaseCommand):
    help = "Show the secret that callbacks are signed with, one a line: give it to whoever receives them."

    def handle(self, *args: Any, **options: Any) -> None:
        for key in signature.signing_keys():
            self.stdout.write(signature.secret_of(key))
