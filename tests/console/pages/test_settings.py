"""The page /settings/."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.console.pages.conftest import text_of


@pytest.mark.django_db
def test_the_page_shows_it_to_viewers_too(sign_in: Callable[..., Client], settings: Settings) -> None:
    settings.QUEUEADMIN_FAULTS = True
    page = text_of(sign_in("vera", "viewer").get("/settings/"))
    assert "unsafe</strong>" in page
    assert "An event may kill or hang the worker that runs it." in page
    assert "How long events are kept" in page
    assert '<tr id="QUEUEADMIN_FAULTS" class="unsafe">' in page
