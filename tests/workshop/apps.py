from django.apps import AppConfig


class WorkshopConfig(AppConfig):
    name = "tests.workshop"

    def ready(self) -> None:
        from ingest.kinds import register
        from tests.workshop.kinds import KINDS, register_tasks

        for kind in KINDS:
            register(kind)
        register_tasks()
