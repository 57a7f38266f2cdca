"""People in a browser: signed in, pressing buttons, reading what they are told."""

import json
from collections.abc import Callable

import pytest
import redis
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

HTMX = {"hx-request": "true"}


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Settings) -> None:
    """Names without hashes: nothing was collected."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def sign_in(make_user: Callable[..., User]) -> Callable[..., Client]:
    def sign(name: str, group: str | None = None) -> Client:
        client = Client(headers={"host": "localhost"})
        client.force_login(make_user(name, group), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign


@pytest.fixture
def operator(sign_in: Callable[..., Client], empty_redis: redis.Redis) -> Client:
    return sign_in("ada", "operator")


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def said(response: HttpResponse) -> str:
    """The toast that an answer to htmx brings."""
    text: str = json.loads(response["HX-Trigger"])["said"]["text"]
    return text


def message_after(client: Client, response: HttpResponse) -> str:
    """The sentence on the page that a plain form's redirect leads to."""
    assert response.status_code == 302, response.content
    page = text_of(client.get(response["Location"]))
    return page.split('id="toast"')[1].split("</div>")[0]
