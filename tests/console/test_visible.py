"""What turns text around is shown as what it is, and nothing else is touched (issue 7, "Done when")."""

import json
from collections.abc import Callable

import pytest
from django.test import Client

from queueadmin.console.editing import editable
from queueadmin.console.visible import visible, visible_page
from tests.console.conftest import Jobs, report
from tests.console.pages.conftest import _plain_static_files, sign_in, text_of  # noqa: F401 - fixtures

CONTROLS = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def test_each_control_is_named_and_all_else_stays() -> None:
    assert visible("invoice\u202efdp.exe") == "invoice\\u202efdp.exe"
    assert visible(CONTROLS) == "".join(f"\\u{ord(each):04x}" for each in CONTROLS)
    others = "שלום مرحبا 👩\u200d🔧 naïve … – ’ \u00a0 \ufeff <b>"
    assert visible(others) == others


def test_inside_json_it_is_the_same_text() -> None:
    value = {f"a{CONTROLS}\\": f"\\{CONTROLS}"}
    assert json.loads(visible(json.dumps(value, ensure_ascii=False))) == value
    assert json.loads(editable(json.dumps(value, ensure_ascii=False).encode())) == value


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("<p>a\u202eb</p>", "<p>a\\u202eb</p>"),
        ('<b title="a\u202eb" data-x="a\u202eb">', '<b title="a\\u202eb" data-x="a\u202eb">'),
        ('<i value="a\u202eb" aria-label="a\u202eb">', '<i value="a\u202eb" aria-label="a\\u202eb">'),
        ("<textarea>a\u202eb</textarea>c\u202ed", "<textarea>a\u202eb</textarea>c\\u202ed"),
        ("<title>a\u202eb</title>", "<title>a\\u202eb</title>"),
        ("a &lt;b&gt; \u2066", "a &lt;b&gt; \\u2066"),
    ],
)  # fmt: skip
def test_what_is_read_is_changed_and_what_is_sent_back_is_not(page: str, shown: str) -> None:
    assert visible_page(page) == shown


@pytest.mark.django_db
def test_a_page_shows_it_and_sends_back_what_came(
    sign_in: Callable[..., Client],  # noqa: F811
    jobs: Jobs,
) -> None:
    source = "a\u202eb"
    jobs.fail(source=source)
    report("x" * 32, source=source, title=f"title {source}")
    viewer = sign_in("vera", "viewer")
    for path in ("/jobs/", "/alerts/", f"/alerts/{'x' * 32}/"):
        page = text_of(viewer.get(path))
        assert "a\\u202eb" in page
        assert "\u202e" not in page
    page = text_of(viewer.get("/jobs/", {"filter": f'source:"{source}"'}))
    assert f'name="filter" value="source:{source}"' in page
