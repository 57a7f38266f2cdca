"""What a browser calls itself, in words; the page has its tests in pages/test_sessions.py."""

import pytest

from queueadmin.console.access.sessions import browser_name

CHROME = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("", ""),
        ("curl/8.5", "curl/8.5"),
        (CHROME + " Edg/140.0", "Edge on macOS"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile/15E Safari/604",
            "Safari on iPhone",
        ),
        ("<script>", "<script>"),
    ],
)
def test_browsers_have_names(agent: str, shown: str) -> None:
    assert browser_name(agent) == shown
