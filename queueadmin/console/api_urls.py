"""The paths of the console's API."""

from django.urls import path

from queueadmin.console.api import health, jobs, queues

app_name = "console-api"

urlpatterns = [
    path("health", health.HealthView.as_view(), name="health"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("queue/status", health.QueueStatusView.as_view(), name="queue-status"),
    path("api/admin/queue/health", health.QueueHealthView.as_view(), name="queue-health"),
    path("api/admin/queue/recover-stalled", queues.RecoverStalledView.as_view(), name="recover-stalled"),
    path("api/v1/queues", queues.QueuesView.as_view(), name="queues"),
    path("api/v1/jobs/<str:job_id>", jobs.JobView.as_view(), name="job"),
    path("api/v1/jobs/<str:job_id>/retry", jobs.RetryView.as_view(), name="job-retry"),
]
