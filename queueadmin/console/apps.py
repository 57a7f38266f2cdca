"""The live console."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def make_groups(using: str, **_: Any) -> None:
    """The groups whose names are roles. After each migrate, not in a migration: a flush removes them as well."""
    from django.contrib.auth.models import Group

    from queueadmin.console.permissions import GROUPS

    for name in GROUPS:
        Group.objects.using(using).get_or_create(name=name)


class ConsoleConfig(AppConfig):
    name = "queueadmin.console"
    label = "console"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from ingest.signals import removal
        from queueadmin.console.retention import note_removal
        from queueadmin.console.sessions import note_beginning

        user_logged_in.connect(note_beginning, dispatch_uid="console.sessions")
        removal.connect(note_removal, dispatch_uid="console.retention")
        post_migrate.connect(make_groups, sender=self, dispatch_uid="console.groups")
