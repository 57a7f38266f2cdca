"""The pipeline: taking events in, holding them, processing them, keeping what failed."""

from django.apps import AppConfig
from django.conf import settings


class IngestConfig(AppConfig):
    name = "ingest"

    def ready(self) -> None:
        from ingest import checks  # noqa: F401 - registers them
        from ingest.kinds import register, register_named
        from ingest.kinds.messages import message_kind

        register(message_kind(settings.MESSAGE_HANDLER))
        if settings.DEMO_TASKS:
            from ingest.kinds import demo  # noqa: F401 - registers its task types
        register_named(settings.INGEST_HANDLERS)
