"""What became of jobs so far: of all, of one kind, of one task type; and what the workers do with their time."""

from dataclasses import asdict

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.kinds import KINDS, TASK, tasks
from ingest.queue.connections import connection
from ingest.reading import counts, workers
from queueadmin.console.api.base import ConsoleView, invalid_field


class StatisticsView(ConsoleView):
    def get(self, request: Request) -> Response:
        kind, task_type = request.query_params.get("kind"), request.query_params.get("task_type")
        if kind is not None and kind not in KINDS:
            raise invalid_field("kind", f"kind must be one of {', '.join(KINDS)}.")
        if task_type is not None and (kind not in (None, TASK.name) or task_type not in tasks.TYPES):
            known = ", ".join(sorted(tasks.TYPES)) or "none here"
            raise invalid_field("task_type", f"task_type must be a type of task: {known}.")
        client = connection()
        counted = f"{TASK.name}:{task_type}" if task_type else kind
        own = task_type if task_type and tasks.TYPES[task_type].own_workers else None
        shown = {
            "kind": TASK.name if task_type else kind,
            "task_type": task_type,
            **asdict(counts.statistics(client, counted)),
            "workers": asdict(workers.utilisation(client, own)),
        }
        if kind == TASK.name and task_type is None:
            shown["task_types"] = {
                name: asdict(counts.statistics(client, f"{TASK.name}:{name}")) for name in sorted(tasks.TYPES)
            }
        return Response(shown)
