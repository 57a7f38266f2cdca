"""The pages, and one POST route per button."""

from django.contrib.auth.views import LogoutView
from django.templatetags.static import static
from django.urls import path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from queueadmin.console import views

#: Its hashed name is known only when a page is served.
_icon = lazy(static, str)("console/favicon.svg")

app_name = "console"
urlpatterns = [
    path("", views.overview, name="overview"),
    # What browsers ask for on pages that name no icon: Django's admin, JSON.
    path("favicon.ico", RedirectView.as_view(url=_icon), name="favicon"),
    path("recover-stalled/", views.recover_stalled, name="recover_stalled"),
    path("test-event/", views.send_test_event, name="send_test_event"),
    path("dead-letters/", views.dead_letters, name="dead_letters"),
    path("dead-letters/retry/", views.retry, name="retry"),
    path("dead-letters/retry-all/", views.retry_all, name="retry_all"),
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/<str:job_id>/", views.job, name="job"),
    path("jobs/<str:job_id>/retry/", views.retry_job, name="retry_job"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("account/", views.Account.as_view(), name="account"),
]
