"""What an effect handler may report."""

from typing import Any

import pytest

from ingest.kinds.context import Context


@pytest.fixture
def said() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def context(said: list[tuple[str, Any]]) -> Context:
    return Context("e1", attempt=2, report=lambda what, value: said.append((what, value)))


def test_it_names_the_job_the_attempt_and_the_key_that_stays_the_same(context: Context) -> None:
    assert (context.job_id, context.attempt, context.idempotency_key) == ("e1", 2, "e1")


def test_progress_is_a_copy_of_any_json_value(context: Context, said: list[tuple[str, Any]]) -> None:
    value = {"done": [1]}
    context.progress(value)
    value["done"].append(2)
    context.progress(0.5)
    assert said == [("progress", {"done": [1]}), ("progress", 0.5)]


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), "x" * 20_000])
def test_what_is_no_small_json_is_refused_where_it_is_said(context: Context, value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        context.progress(value)


def test_a_text_of_several_lines_is_several_lines_and_a_long_one_is_cut(
    context: Context, said: list[tuple[str, Any]]
) -> None:
    context.log("one\ntwo")
    context.log("")
    context.log("x" * 5000)
    assert said == [("log", "one"), ("log", "two"), ("log", ""), ("log", "x" * 1000)]


def test_without_a_listener_nothing_happens() -> None:
    context = Context("e1")
    context.progress(1)
    context.log("x")
