"""The paths of the console's API."""

from django.urls import path

from queueadmin.console.api import (
    alerts,
    audit,
    description,
    devices,
    health,
    history,
    jobs,
    lists,
    lookups,
    queues,
    schedules,
)

app_name = "console-api"

urlpatterns = [
    path("health", health.HealthView.as_view(), name="health"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("queue/status", health.QueueStatusView.as_view(), name="queue-status"),
    path("api/admin/queue/health", health.QueueHealthView.as_view(), name="queue-health"),
    path("api/admin/queue/recover-stalled", queues.RecoverStalledView.as_view(), name="recover-stalled"),
    path("api/schema/", description.SchemaView.as_view(), name="schema"),
    path("api/v1/queues", queues.QueuesView.as_view(), name="queues"),
    path("api/v1/queues/pause", queues.PauseView.as_view(), name="pause-all"),
    path("api/v1/queues/resume", queues.ResumeView.as_view(), name="resume-all"),
    path("api/v1/queues/<str:name>/pause", queues.PauseView.as_view(), name="pause"),
    path("api/v1/queues/<str:name>/resume", queues.ResumeView.as_view(), name="resume"),
    path("api/v1/queues/<str:name>/empty", queues.EmptyView.as_view(), name="empty"),
    path("api/v1/history", history.HistoryView.as_view(), name="history"),
    path("api/v1/marks", history.MarksView.as_view(), name="marks"),
    path("api/v1/jobs", lists.JobsView.as_view(), name="jobs"),
    path("api/v1/jobs/lookup", lookups.LookupView.as_view(), name="lookup"),
    path("api/v1/alerts", alerts.AlertsView.as_view(), name="alerts"),
    path("api/v1/alerts/<str:alert_id>", alerts.AlertView.as_view(), name="alert"),
    path("api/v1/alerts/<str:alert_id>/acknowledge", alerts.AcknowledgeView.as_view(), name="alert-acknowledge"),
    path("api/v1/alerts/<str:alert_id>/resolve", alerts.ResolveView.as_view(), name="alert-resolve"),
    path("api/v1/schedules", schedules.SchedulesView.as_view(), name="schedules"),
    path("api/v1/schedules/<str:schedule>", schedules.ScheduleView.as_view(), name="schedule"),
    path("api/v1/schedules/<str:schedule>/pause", schedules.PauseScheduleView.as_view(), name="schedule-pause"),
    path("api/v1/schedules/<str:schedule>/resume", schedules.ResumeScheduleView.as_view(), name="schedule-resume"),
    path("api/v1/schedules/<str:schedule>/run-now", schedules.RunScheduleView.as_view(), name="schedule-run-now"),
    path("api/v1/audit", audit.AuditView.as_view(), name="audit"),
    path("api/v1/devices", devices.DevicesView.as_view(), name="devices"),
    path("api/v1/batches/<str:batch_id>", lookups.BatchView.as_view(), name="batch"),
    path("api/v1/jobs/<str:job_id>", jobs.JobView.as_view(), name="job"),
    path("api/v1/jobs/<str:job_id>/retry", jobs.RetryView.as_view(), name="job-retry"),
    path("api/v1/jobs/<str:job_id>/run-now", jobs.RunNowView.as_view(), name="job-run-now"),
    path("api/v1/jobs/<str:job_id>/cancel", jobs.CancelView.as_view(), name="job-cancel"),
    path("api/v1/jobs/<str:job_id>/discard", jobs.DiscardView.as_view(), name="job-discard"),
    path("api/v1/jobs/<str:job_id>/restore", jobs.RestoreView.as_view(), name="job-restore"),
    path("api/v1/jobs/<str:job_id>/move", jobs.MoveToView.as_view(), name="job-move"),
]
