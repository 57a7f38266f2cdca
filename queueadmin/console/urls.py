"""The pages, and one POST route per button."""

from django.contrib.auth.views import LogoutView
from django.templatetags.static import static
from django.urls import path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from queueadmin.console import job_address  # noqa: F401 - registers job ids
from queueadmin.console.pages import (
    alerts as alert_pages,
)
from queueadmin.console.pages import (
    audit as audit_pages,
)
from queueadmin.console.pages import (
    buttons,
    failure_files,
    failure_groups,
)
from queueadmin.console.pages import (
    devices as device_pages,
)
from queueadmin.console.pages import (
    failures as failure_pages,
)
from queueadmin.console.pages import (
    ingest as ingest_pages,
)
from queueadmin.console.pages import (
    job as job_pages,
)
from queueadmin.console.pages import (
    job_list as job_list_pages,
)
from queueadmin.console.pages import (
    live as live_pages,
)
from queueadmin.console.pages import (
    mappings as mapping_pages,
)
from queueadmin.console.pages import (
    matching as matching_pages,
)
from queueadmin.console.pages import (
    overview as pages,
)
from queueadmin.console.pages import (
    policies as policy_pages,
)
from queueadmin.console.pages import (
    queues as queue_pages,
)
from queueadmin.console.pages import (
    replays as replay_pages,
)
from queueadmin.console.pages import (
    saved_views as saved_view_pages,
)
from queueadmin.console.pages import (
    schedules as schedule_pages,
)
from queueadmin.console.pages import (
    settings as settings_pages,
)
from queueadmin.console.pages import (
    workers as worker_pages,
)

#: Its hashed name is known only when a page is served.
_icon = lazy(static, str)("console/favicon.svg")

app_name = "console"
urlpatterns = [
    path("", pages.overview, name="overview"),
    # What browsers ask for on pages that name no icon: Django's admin, JSON.
    path("favicon.ico", RedirectView.as_view(url=_icon), name="favicon"),
    path("recover-stalled/", buttons.recover_stalled, name="recover_stalled"),
    path("test-event/", buttons.send_test_event, name="send_test_event"),
    path("loss/understood/", buttons.understood, name="understood"),
    path("queues/pause/", buttons.pause, name="pause_all"),
    path("queues/resume/", buttons.resume, name="resume_all"),
    path("queues/<str:name>/", queue_pages.queue, name="queue"),
    path("queues/<str:name>/pause/", buttons.pause, name="pause"),
    path("queues/<str:name>/resume/", buttons.resume, name="resume"),
    path("queues/<str:name>/empty/", buttons.empty, name="empty"),
    path("queues/<str:name>/purge/", buttons.purge, name="purge"),
    path("undo/<slug:operation>/", buttons.undo, name="undo"),
    path("dead-letters/", failure_pages.dead_letters, name="dead_letters"),
    path("dead-letters/retry/", buttons.retry, name="retry"),
    path("dead-letters/retry-all/", buttons.retry_all, name="retry_all"),
    path("dead-letters/discard/", buttons.discard, name="discard"),
    path("dead-letters/mark/", buttons.mark, name="mark"),
    path("dead-letters/export.<str:form>", failure_files.export, name="failure_file"),
    path("dead-letters/policies/", policy_pages.policies_page, name="policies"),
    path("dead-letters/policies/set/", policy_pages.set_policy, name="set_policy"),
    path("dead-letters/policies/<int:pk>/remove/", policy_pages.remove_policy, name="remove_policy"),
    path("dead-letters/<str:group>/", failure_pages.dead_letters, name="failure_group"),
    path("dead-letters/<str:group>/acknowledge/", failure_groups.acknowledge, name="acknowledge_group"),
    path("dead-letters/<str:group>/resolve/", failure_groups.resolve, name="resolve_group"),
    path("dead-letters/<str:group>/reopen/", failure_groups.reopen, name="reopen_group"),
    path("dead-letters/<str:group>/note/", failure_groups.note, name="note_group"),
    path("dead-letters/<str:group>/assign/", failure_groups.assign, name="assign_group"),
    path("saved-views/save/", saved_view_pages.save, name="save_view"),
    path("saved-views/<int:pk>/delete/", saved_view_pages.delete, name="delete_view"),
    path("jobs/", job_list_pages.job_list, name="jobs"),
    # Beside /jobs/, where a stock client's job may have any of these names.
    path("job-rows/", job_list_pages.job_rows, name="job_rows"),
    path("chosen-jobs/retry/", job_list_pages.retry_chosen, name="retry_chosen"),
    path("chosen-jobs/run-now/", job_list_pages.run_now_chosen, name="run_now_chosen"),
    path("chosen-jobs/move/", job_list_pages.move_chosen, name="move_chosen"),
    path("chosen-jobs/restore/", job_list_pages.restore_chosen, name="restore_chosen"),
    path("chosen-jobs/cancel/", job_list_pages.cancel_chosen, name="cancel_chosen"),
    path("chosen-jobs/discard/", job_list_pages.discard_chosen, name="discard_chosen"),
    path("matching-jobs/", matching_pages.matching, name="matching"),
    path("finished-jobs/clean/", job_list_pages.clean_finished, name="clean_finished"),
    path("jobs/<job:job_id>/", job_pages.job, name="job"),
    path("jobs/<job:job_id>/raw/", job_pages.raw, name="job_raw"),
    path("jobs/<job:job_id>/reveal/", job_pages.reveal, name="reveal_job"),
    path("jobs/<job:job_id>/edit/", job_pages.edit, name="edit_job"),
    path("jobs/<job:job_id>/duplicate/", job_pages.duplicate, name="duplicate_job"),
    path("jobs/<job:job_id>/move/", job_pages.move, name="move_job"),
    path("jobs/<job:job_id>/retry/", buttons.retry_job, name="retry_job"),
    path("jobs/<job:job_id>/run-now/", buttons.run_now_job, name="run_now_job"),
    path("jobs/<job:job_id>/cancel/", buttons.cancel_job, name="cancel_job"),
    path("jobs/<job:job_id>/mark-permanent/", buttons.mark_job, name="mark_job"),
    path("jobs/<job:job_id>/unmark-permanent/", buttons.unmark_job, name="unmark_job"),
    path("jobs/<job:job_id>/discard/", buttons.discard_job, name="discard_job"),
    path("jobs/<job:job_id>/restore/", buttons.restore_job, name="restore_job"),
    path("alerts/", alert_pages.alert_list, name="alerts"),
    path("alerts/<str:alert_id>/", alert_pages.alert, name="alert"),
    path("alerts/<str:alert_id>/acknowledge/", alert_pages.acknowledge, name="acknowledge_alert"),
    path("alerts/<str:alert_id>/resolve/", alert_pages.resolve, name="resolve_alert"),
    path("devices/", device_pages.device_list, name="devices"),
    path("replays/", replay_pages.replay_list, name="replays"),
    path("replays/new/", replay_pages.new, name="new_replay"),
    path("replays/<int:pk>/", replay_pages.replay, name="replay"),
    path("replays/<int:pk>/pause/", replay_pages.pause, name="pause_replay"),
    path("replays/<int:pk>/resume/", replay_pages.resume, name="resume_replay"),
    path("replays/<int:pk>/cancel/", replay_pages.cancel, name="cancel_replay"),
    path("replays/<int:pk>/pace/", replay_pages.set_pace, name="pace_replay"),
    path("replays/<int:pk>/change/", replay_pages.change, name="change_replay"),
    path("schedules/", schedule_pages.schedule_list, name="schedules"),
    path("schedules/new/", schedule_pages.new, name="new_schedule"),
    path("schedules/preview/", schedule_pages.preview, name="preview_schedule"),
    path("schedules/<int:pk>/", schedule_pages.schedule, name="schedule"),
    path("schedules/<int:pk>/edit/", schedule_pages.edit, name="edit_schedule"),
    path("schedules/<int:pk>/delete/", schedule_pages.delete, name="delete_schedule"),
    path("schedules/<int:pk>/pause/", schedule_pages.pause, name="pause_schedule"),
    path("schedules/<int:pk>/resume/", schedule_pages.resume, name="resume_schedule"),
    path("schedules/<int:pk>/run-now/", schedule_pages.run_now, name="run_schedule"),
    path("workers/", worker_pages.worker_list, name="workers"),
    path("workers/<path:worker>/drain/", worker_pages.drain, name="drain_worker"),
    path("workers/<path:worker>/resume/", worker_pages.resume, name="resume_worker"),
    path("workers/<path:worker>/restart/", worker_pages.restart, name="restart_worker"),
    path("workers/<path:worker>/kill/", worker_pages.kill, name="kill_worker"),
    path("audit/", audit_pages.audit_log, name="audit"),
    path("audit/export.<str:form>", audit_pages.audit_file, name="audit_file"),
    path("ingest/", ingest_pages.ingest, name="ingest"),
    path("ingest/add/", ingest_pages.add_source, name="add_source"),
    path("ingest/severities/map/", ingest_pages.map_severity, name="map_severity"),
    path("ingest/fields/", mapping_pages.map_fields, name="map_fields"),
    path("ingest/fields/unmap/", mapping_pages.unmap_fields, name="unmap_fields"),
    path("ingest/keys/new/", ingest_pages.new_key, name="new_key"),
    path("ingest/keys/<int:key_id>/rotate/", ingest_pages.rotate_key, name="rotate_key"),
    path("ingest/keys/<int:key_id>/revoke/", ingest_pages.revoke_key, name="revoke_key"),
    path("ingest/keys/<int:key_id>/waiting/", ingest_pages.waiting, name="waiting"),
    path("settings/", settings_pages.settings_in_force, name="settings"),
    path("api/docs/", pages.api_docs, name="api_docs"),
    path("live/", live_pages.live, name="live"),
    path("login/", pages.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("account/", pages.Account.as_view(), name="account"),
    path("account/sign-out/", pages.sign_out_elsewhere, name="sign_out_elsewhere"),
]
