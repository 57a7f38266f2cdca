"""The paths of the console's API."""

from django.urls import path

from queueadmin.console import api

app_name = "console-api"

urlpatterns = [
    path("health", api.HealthView.as_view(), name="health"),
    path("healthz", api.healthz, name="healthz"),
    path("readyz", api.readyz, name="readyz"),
    path("queue/status", api.QueueStatusView.as_view(), name="queue-status"),
    path("api/admin/queue/health", api.QueueHealthView.as_view(), name="queue-health"),
    path("api/admin/queue/recover-stalled", api.RecoverStalledView.as_view(), name="recover-stalled"),
    path("api/v1/queues", api.QueuesView.as_view(), name="queues"),
    path("api/v1/jobs/<str:job_id>", api.JobView.as_view(), name="job"),
    path("api/v1/jobs/<str:job_id>/retry", api.JobRetryView.as_view(), name="job-retry"),
]
