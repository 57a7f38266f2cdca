"""The paths that take events in; on the fast lane their POSTs never come here."""

from django.urls import path

from ingest.api.intake import ENDPOINTS, HOOKS_PATH, TRACKING
from ingest.api.views import HookView, TakeInView

urlpatterns = [
    *(path(at.lstrip("/"), TakeInView.as_view(endpoint=endpoint)) for at, endpoint in (ENDPOINTS | TRACKING).items()),
    path(f"{HOOKS_PATH.lstrip('/')}<str:vendor>", HookView.as_view()),
]
