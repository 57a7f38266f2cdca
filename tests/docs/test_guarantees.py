"""The guarantees of the README: each names tests that are there."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_SECTION = re.search(r"^## Guarantees$(.*?)^## ", (REPOSITORY / "README.md").read_text(), re.MULTILINE | re.DOTALL)
assert _SECTION
ROWS = [
    line.strip("| ").split(" | ")
    for line in _SECTION[1].partition("| not promised |")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| promised")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_each_promise_names_a_test_that_is_there(row: list[str]) -> None:
    _, shown_by = row
    named = re.findall(r"\[[^\]]+\]\((tests/[^)]+)\)((?: ?`test_[a-z0-9_]+`,?)+)", shown_by)
    assert named, "a promise without a test"
    for path, names in named:
        tests = (REPOSITORY / path).read_text()
        for name in re.findall(r"test_[a-z0-9_]+", names):
            assert re.search(rf"^(async )?def {name}\(", tests, re.MULTILINE), f"{path} has no {name}"


def test_there_are_promises() -> None:
    assert len(ROWS) >= 10
