"""Which frames of a traceback are the application's (issue 8 part 1)."""

import sysconfig
from pathlib import Path

import pytest

from ingest import frames

ROOT = Path(frames.__file__).parent.parent


def traceback(*places: str, said: str = "ValueError: no such device") -> str:
    lines = [f'  File "{path}", line 17, in {name}\n    call()\n' for path, name in (p.split(":") for p in places)]
    return f"Traceback (most recent call last):\n{''.join(lines)}{said}\n"


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ([], "-"),
        (["/srv/shop/orders.py:charge"], "shop/orders.py:charge"),
        # Another release stands elsewhere, and its lines are others.
        (["/srv/releases/17/shop/orders.py:charge"], "shop/orders.py:charge"),
        (["/srv/shop/a.py:f", "/srv/shop/b.py:g"], "shop/a.py:f|shop/b.py:g"),
        (["/x/a.py:f", "/x/b.py:g", "/x/c.py:h", "/x/d.py:i"], "x/b.py:g|x/c.py:h|x/d.py:i"),
        (["/x/a.py:f", "/x/a.py:f", "/x/a.py:f"], "x/a.py:f"),
        # Packages, Python itself and this project's rooms are not the application.
        (["/srv/.venv/lib/python3.11/site-packages/requests/api.py:get"], "-"),
        ([f"{sysconfig.get_path('stdlib')}/json/decoder.py:decode"], "-"),
        ([f"{ROOT}/ingest/worker/batch.py:run", "/srv/shop/orders.py:charge"], "shop/orders.py:charge"),
        ([f"{ROOT}/queueadmin/run/instance.py:run", "<frozen runpy>:_run_code"], "-"),
        (["ingest/jobs.py:process", "queueadmin/console/pages/overview.py:f"], "-"),
        ([f"{ROOT}/examples/shop.py:charge"], "examples/shop.py:charge"),
    ],
)
def test_the_innermost_frames_of_the_application_count(places: list[str], told: str) -> None:
    assert frames.ours(traceback(*places)) == told


def test_of_chained_exceptions_the_last_one_counts() -> None:
    first = traceback("/srv/shop/bank.py:ask", said="TimeoutError")
    last = traceback("/srv/shop/orders.py:charge")
    chained = f"{first}\nDuring handling of the above exception, another exception occurred:\n\n{last}"
    assert frames.ours(chained) == "shop/orders.py:charge"


def test_what_is_no_traceback_has_none() -> None:
    assert frames.ours("") == frames.ours("boom") == "-"
    assert len(frames.ours(traceback(*["/srv/" + "x" * 500 + ".py:f"]))) == frames.LENGTH
