"""The live console."""

from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_delete, post_migrate, post_save


class ConsoleConfig(AppConfig):
    name = "queueadmin.console"
    label = "console"

    def ready(self) -> None:
        from django.contrib.auth.models import User
        from django.contrib.auth.signals import user_logged_in
        from django.contrib.sessions.models import Session

        from ingest.signals import removal
        from queueadmin.console.access.groups import make_groups
        from queueadmin.console.access.sessions import note_beginning
        from queueadmin.console.live.open_sockets import note_session, note_user
        from queueadmin.console.retention import note_removal

        user_logged_in.connect(note_beginning, dispatch_uid="console.sessions")
        post_delete.connect(note_session, sender=Session, dispatch_uid="console.open_sockets.session")
        post_save.connect(note_user, sender=User, dispatch_uid="console.open_sockets.user")
        for given in (User.groups.through, User.user_permissions.through):
            m2m_changed.connect(note_user, sender=given, dispatch_uid=f"console.open_sockets.{given.__name__}")
        post_delete.connect(note_user, sender=User, dispatch_uid="console.open_sockets.gone")
        removal.connect(note_removal, dispatch_uid="console.retention")
        post_migrate.connect(make_groups, sender=self, dispatch_uid="console.groups")
