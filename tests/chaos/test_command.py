"""`make chaos` itself: one quick fault of the whole product, and how it is told what to do."""

import subprocess
import sys

import pytest

from tests.instance import REPOSITORY


def chaos(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


@pytest.mark.long
def test_a_fault_of_the_whole_product_loses_and_doubles_nothing() -> None:
    run = chaos("--only", "worker-busy", "--database", "sqlite", "--seed", "1")
    assert run.returncode == 0, run.stdout + run.stderr
    title, _, head, row, _, sum_, *_ = run.stdout.splitlines()
    assert title == "make chaos --seed 1"
    assert head.split() == [
        *("fault", "database", "sent", "accepted", "processed", "dead", "letters", "lost", "doubled", "recovered", "in")
    ]
    assert row.split()[:2] == ["worker-busy", "sqlite"]
    assert "0 lost, 0 doubled" in sum_


def test_it_lists_what_there_is_and_refuses_what_there_is_not() -> None:
    listed = chaos("--list")
    assert listed.returncode == 0
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert {"worker-busy", "valkey", "everything", "crash-points/processed"} <= set(names)
    refused = chaos("--only", "nothing")
    assert refused.returncode == 1
    assert "There is no nothing. There are: worker-idle, " in refused.stderr


def test_every_fault_and_life_is_described_in_the_docs() -> None:
    names = [line.split()[0] for line in chaos("--list").stdout.splitlines()]
    text = (REPOSITORY / "docs" / "chaos.md").read_text()
    assert [name for name in names if f"`{name.removeprefix('crash-points/')}`" not in text] == []
