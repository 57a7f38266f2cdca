"""Every path."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("ingest.urls")),
    path("", include("queueadmin.console.api_urls")),
    path("", include("queueadmin.console.urls")),
    path("django-admin/", admin.site.urls),
]

# Problems where programs ask, the pages of templates/ elsewhere.
handler400 = "ingest.api.errors.bad_request"
handler403 = "ingest.api.errors.permission_denied"
handler404 = "ingest.api.errors.page_not_found"
handler500 = "ingest.api.errors.server_error"
