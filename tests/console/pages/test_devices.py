"""The page /devices/: issue 6 (1)."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from queueadmin.console import devices
from tests.console.conftest import track
from tests.console.pages.conftest import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]


def test_an_empty_page_teaches(operator: Client) -> None:
    assert "/tracking/live" in text_of(operator.get("/devices/"))
    assert "No device matches “x”." in text_of(operator.get("/devices/?text=x"))


def test_each_device_is_where_it_was_last_with_its_job_and_rate(operator: Client) -> None:
    job = track("<glider>", *range(1, 31), lat=46.5, lon=-7.123456, alt=1850, tenant="acme")
    page = text_of(operator.get("/devices/"))
    assert "&lt;glider&gt;" in page
    assert "46.50000, -7.12346" in page
    assert f'href="/jobs/{job}/"' in page
    assert ">2.0</td>" in page
    assert "1,850" in page
    assert ">30</b><span>points kept</span>" in page


def test_more_than_a_page_and_the_database_away(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        track(f"dock-{number}")  # no part of a job's id
    monkeypatch.setattr("queueadmin.console.pages.devices.PAGE_SIZE", 2)
    first = text_of(operator.get("/devices/?text=d"))
    assert "dock-2" not in first
    more = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "dock-2" in text_of(operator.get(more))
    assert operator.get("/devices/?cursor=x").status_code == 404

    def away(**_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(devices, "page", away)
    response = operator.get("/devices/")
    assert response.status_code == 503
    assert "The database does not answer" in text_of(response)
