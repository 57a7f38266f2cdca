"""Every path."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("queueadmin.console.api_urls")),
    path("", include("queueadmin.console.urls")),
    path("django-admin/", admin.site.urls),
]
