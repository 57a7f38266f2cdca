"""The workers: read, and told what to do."""

from queueadmin.console import workers
from queueadmin.console.openapi.lists import all_of
from queueadmin.console.openapi.parts import (
    COUNT,
    MOMENT,
    Operations,
    Schema,
    json_answer,
    members,
    nullable,
    operation,
    parameter,
    ref,
    text,
)
from queueadmin.console.openapi.reasons import why

_TOLD = {
    "drain": (
        "drainWorker",
        "Drain a worker",
        "It finishes what it holds and claims nothing more until it is resumed.",
    ),
    "resume": ("resumeWorker", "Resume a worker", "A drained one claims again."),
    "restart": (
        "restartWorker",
        "Start a worker anew",
        "It finishes what it holds and ends, and what supervises it starts another; 409 where nothing does.",
    ),
    "kill": (
        "killWorker",
        "Kill a worker",
        "SIGKILL where it runs on the console's machine, else RQ's shutdown command. What it held comes back when its "
        "leases end. A `reason` is needed, and of a session the permission `console.kill_workers`.",
    ),
}


def worker_shapes() -> dict[str, Schema]:
    """Components: Worker, WorkerList, WorkerTold."""
    moment = nullable(MOMENT)
    held: dict[str, Schema] = {
        "jobs": COUNT,
        "kinds": {"type": "object", "additionalProperties": COUNT, "description": "How many of each kind."},
        "since": moment,
        "lease_seconds": {"type": ["number", "null"], "description": "Until the first lease ends; below 0: it lapsed."},
    }
    worker: dict[str, Schema] = {
        "name": text("Its own."),
        "state": {"enum": list(workers.STATES), "description": "`lost`: not heard of for longer than a lease."},
        "stock": {"type": "boolean", "description": "RQ's own worker, which tells less and can only be killed."},
        "host": {"type": ["string", "null"]},
        "pid": {"type": ["integer", "null"]},
        "queues": {
            "type": "array",
            "items": {"type": "string"},
            "description": "In the order in which it serves them.",
        },
        "task_types": {
            "type": "array",
            "items": {"type": "string"},
            "description": "It serves these and takes nothing else; empty: it serves everything.",
        },
        "last_heartbeat": moment,
        "since": {**moment, "description": "Its start."},
        "held": members(held),
        "processed": COUNT,
        "failed": COUNT,
        "memory": {"type": ["integer", "null"], "description": "Bytes."},
        "cpu": {"type": ["number", "null"], "description": "Percent of one processor, since the heartbeat before."},
        "supervisor": nullable(text("What starts it anew when it ends; null: nothing that it knows of.")),
        "waits_for": nullable(text("`database` while it waits for that.")),
        "can": {"type": "array", "items": {"enum": list(workers.VERBS)}, "description": "What it can be told now."},
    }
    told: dict[str, Schema] = {
        "name": text("The worker's."),
        "told": {"enum": list(workers.VERBS)},
        "done": text("What it does now, in a sentence."),
    }
    return {
        "Worker": members(worker),
        "WorkerList": all_of(
            "Worker",
            next={"type": "null"},
            complete={
                "type": "boolean",
                "description": f"false: more than {workers.LOOKED_AT:,} jobs run, and not all were looked at.",
            },
        ),
        "WorkerTold": members(told),
    }


def worker_operations() -> Operations:
    name = parameter("worker", "path", "Its name.", {"type": "string", "maxLength": 200, "example": "node-a-4121-9f2c"})
    found: Operations = {
        "/api/v1/workers": {
            "get": operation(
                "getWorkers",
                "Workers",
                "Every worker",
                "What each does now, what it holds and until when, what it takes of its machine.",
                scope="read",
                answers={200: json_answer("The workers, by name.", ref("WorkerList"))},
                errors=(),
            )
        }
    }
    for verb, (operation_id, summary, description) in _TOLD.items():
        found[f"/api/v1/workers/{{worker}}/{verb}"] = {
            "post": operation(
                operation_id,
                "Workers",
                summary,
                f"{description} It is in the audit log.",
                scope="admin",
                parameters=[name],
                request=why("node-a is patched"),
                answers={200: json_answer("What it was told.", ref("WorkerTold"))},
                errors=(404, 409, 413, 415, 422),
            )
        }
    return found
