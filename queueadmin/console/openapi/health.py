"""Is all well, and this description."""

from queueadmin.console.openapi.parts import Operations, json_answer, operation, ref


def health() -> Operations:
    status = {"type": "object", "required": ["status"]}
    return {
        "/health": {
            "get": operation(
                "getHealth",
                "Health",
                "The verdict, and why",
                "`degraded` is a 200: events are taken in, but something needs a person. Whoever may read learns what.",
                scope="open",
                answers={
                    200: json_answer("Healthy or degraded.", ref("Health")),
                    503: json_answer("Unhealthy: nothing can be accepted.", ref("Health")),
                },
                errors=(),
            )
        },
        "/healthz": {
            "get": operation(
                "getAlive",
                "Health",
                "Is the process alive?",
                "For liveness probes.",
                scope="open",
                answers={200: json_answer("It is.", {**status, "properties": {"status": {"const": "alive"}}})},
                errors=(),
            )
        },
        "/readyz": {
            "get": operation(
                "getReady",
                "Health",
                "Would an event be stored now?",
                "For readiness probes.",
                scope="open",
                answers={200: json_answer("It would.", {**status, "properties": {"status": {"const": "ready"}}})},
                errors=(503,),
            )
        },
        "/metrics": {
            "get": operation(
                "getMetrics",
                "Health",
                "Metrics for Prometheus",
                "In its text format. docs/operating.md lists them.",
                scope="read",
                answers={
                    200: {"description": "All of them.", "content": {"text/plain": {"schema": {"type": "string"}}}}
                },
                errors=(),
            )
        },
        "/queue/status": {
            "get": operation(
                "getQueueStatus",
                "Health",
                "Counts by queue, and the processor's",
                "By the names of a point queue's status.",
                scope="read",
                answers={200: json_answer("The counts.", ref("QueueStatus"))},
                errors=(),
            )
        },
        "/api/admin/queue/health": {
            "get": operation(
                "getQueueHealth",
                "Health",
                "Keep's queue health",
                "By Keep's names; over 1,000 in processing are `backlogged`, over 100 dead letters `errors`.",
                scope="read",
                answers={200: json_answer("The counters.", ref("QueueHealth"))},
                errors=(),
            )
        },
    }


def about() -> Operations:
    return {
        "/api/schema/": {
            "get": operation(
                "getSchema",
                "About",
                "The API as OpenAPI 3.1",
                "In JSON. `/api/docs/` shows it to people.",
                scope="open",
                answers={200: json_answer("This.", {"type": "object", "required": ["openapi", "info", "paths"]})},
                errors=(),
            )
        }
    }
