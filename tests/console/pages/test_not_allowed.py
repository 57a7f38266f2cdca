"""What is opened though it only takes presses, and the pages of errors under a path of a shared host."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import set_script_prefix

from tests.console.pages.conftest import text_of

pytestmark = pytest.mark.django_db


def test_a_button_s_address_that_is_opened_says_so(client: Client) -> None:
    """A tab that the browser brought back was white."""
    answer = client.get("/recover-stalled/", headers={"host": "localhost"})
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "This is the address of a button" in text_of(answer)


@pytest.fixture
def _under_a_path() -> Iterator[None]:
    """As the server sets it for each request; the test client does not."""
    set_script_prefix("/queues/")
    yield
    set_script_prefix("/")


@pytest.mark.usefixtures("_under_a_path")
@pytest.mark.parametrize("path", ["/nothing/", "/recover-stalled/"])
def test_pages_of_errors_lead_home_under_a_path_of_a_shared_host(client: Client, path: str) -> None:
    """They led to whatever else the host serves."""
    page = text_of(client.get(path, headers={"host": "localhost"}))
    assert page.count('href="/queues/"') == 2
    assert 'href="/"' not in page


def test_programs_get_no_page(client: Client) -> None:
    answer = client.get("/api/v1/queues/pause", headers={"host": "localhost"})
    assert answer["Content-Type"] == "application/problem+json"
