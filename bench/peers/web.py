"""Django REST framework and django-rq as a project of a few lines has them: validate, enqueue, answer 202.

With the middleware of `startproject`. The queue is kept, since `get_queue()` opens a connection each time.
"""

import os
from functools import cache
from typing import Any

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="known to this program alone",  # noqa: S106 - it serves nothing but a measurement
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="bench.peers.web",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "rest_framework",
        "django_rq",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    RQ_QUEUES={"medium": {"URL": f"unix://{os.environ['BENCH_REDIS']}"}},
    RQ={"COMMIT_MODE": "auto"},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    },
    DATA_UPLOAD_MAX_MEMORY_SIZE=10 * 2**20,
    USE_TZ=True,
)
django.setup()

import django_rq  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from bench.peers import rq_peer  # noqa: E402


class AlertSerializer(serializers.Serializer[Any]):
    source = serializers.CharField(max_length=255)  # type: ignore[assignment]
    title = serializers.CharField()
    severity = serializers.ChoiceField(choices=["critical", "high", "medium", "low"])
    dedup_key = serializers.CharField(required=False)
    occurred_at = serializers.DateTimeField(required=False)
    labels = serializers.DictField(child=serializers.CharField())
    payload = serializers.JSONField()


@cache
def _queue() -> Any:
    return django_rq.get_queue("medium")


class Events(APIView):
    """One alert, or an array of them."""

    def post(self, request: Request) -> Response:
        many = isinstance(request.data, list)
        serializer = AlertSerializer(data=request.data, many=many)
        serializer.is_valid(raise_exception=True)
        queue = _queue()
        if many:
            jobs = queue.enqueue_many(
                [queue.prepare_data(rq_peer.nothing, (alert,), result_ttl=0) for alert in serializer.validated_data]
            )
            return Response({"status": "queued", "queued": len(jobs)}, status=202)
        job = queue.enqueue(rq_peer.nothing, serializer.validated_data, result_ttl=0)
        return Response({"status": "queued", "id": job.id}, status=202)


urlpatterns = [path("events", Events.as_view())]
asgi = get_asgi_application()
wsgi = get_wsgi_application()
