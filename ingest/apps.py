"""The pipeline: taking events in, holding them, processing them, keeping what failed."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "ingest"

    def ready(self) -> None:
        from ingest import checks  # noqa: F401 - registers them
