"""The live console."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConsoleConfig(AppConfig):
    name = "queueadmin.console"
    label = "console"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from ingest.signals import removal
        from queueadmin.console.groups import make_groups
        from queueadmin.console.retention import note_removal
        from queueadmin.console.sessions import note_beginning

        user_logged_in.connect(note_beginning, dispatch_uid="console.sessions")
        removal.connect(note_removal, dispatch_uid="console.retention")
        post_migrate.connect(make_groups, sender=self, dispatch_uid="console.groups")
