"""Rates, curves and p99 from the tally's steps."""

from collections import Counter

import pytest

from ingest.api import steps
from ingest.api.steps import BOUNDS, STEP, STEPS, Steps
from queueadmin.console.figures.flow import Flow, flows, quantile

NOW = 1_790_000_000.0 + 5  # 5 s into a step


def counted(*events: tuple[float, str, int]) -> dict[str, Flow]:
    """(seconds ago, field, events) of the source edge and the key 7."""
    made = Steps()
    for ago, what, number in sorted(events, reverse=True):
        made.add(NOW - ago, "7", "edge", what, number)
    return flows(made.counts, NOW)


def test_a_rate_is_of_the_last_whole_step_and_the_running_one() -> None:
    began = NOW % STEP
    flow = counted((0, "accepted", 20), (began + 1, "accepted", 30), (began + STEP + 1, "accepted", 900))["sedge"]
    assert flow.rate == pytest.approx(50 / (STEP + began))
    assert (flow.rates[-1], flow.rates[-2], len(flow.rates)) == (2.0, 60.0, STEPS)


def test_percentages_are_of_what_came_lately() -> None:
    both = counted((0, "accepted", 6), (0, "duplicates", 2), (0, "rejected:wrong_type", 1), (0, "shed:redis_memory", 1))
    assert set(both) == {"", "sedge", "k7"}
    for flow in both.values():
        assert (flow.refused_now, flow.duplicates_now) == (20.0, 25.0)
    quiet = counted((100, "accepted", 5))["sedge"]
    assert (quiet.rate, quiet.refused_now, quiet.duplicates_now, quiet.p99) == (0.0, None, None, None)
    assert Flow().rate == 0.0


def test_what_is_older_than_fifteen_minutes_is_gone() -> None:
    assert counted((STEP * (STEPS + 2), "accepted", 5)) == {}
    made = Steps()
    for number in range(200):
        made.add(NOW + number * STEP, "7", "edge", "accepted", 1)
    assert len(made.counts) == STEPS + 1


def test_what_is_no_outcome_of_an_event_is_not_counted() -> None:
    assert counted((0, "truncated", 5)) == {}


def test_a_source_s_name_may_hold_anything() -> None:
    made = Steps()
    made.add(NOW, "7", "a|b:c d", "accepted", 1)
    assert set(flows(made.counts, NOW)) == {"", "sa|b:c d", "k7"}


def test_sources_without_a_row_are_counted_as_another_one() -> None:
    made = Steps()
    for name in ("a", "b", "c"):
        made.add(NOW, "7", name, "accepted", 1)
    made.move({"a", "b"}, "(others)")
    found = flows(made.counts, NOW)
    assert (found["s(others)"].accepted[-1], found["sc"].accepted[-1], "sa" in found) == (2, 1, False)


# --- how long answers took ---------------------------------------------------------------------------


@pytest.mark.parametrize(("times", "wanted"), [([0.0105] * 100, 0.012), ([0.0005] * 99 + [3] * 1, 0.001), ([60], 10)])
def test_99_of_100_requests_were_as_quick(times: list[float], wanted: float) -> None:
    made = Steps()
    for seconds in times:
        made.took(NOW, ["edge"], seconds)
    made.add(NOW, "7", "edge", "accepted", 1)
    found = flows(made.counts, NOW)["sedge"]
    assert found.p99 == found.p99_now == pytest.approx(wanted, rel=0.02)


def test_it_lies_in_the_bucket_of_the_slowest_but_one_percent() -> None:
    assert quantile([]) is None
    assert quantile([{}]) is None
    for bucket, bound in enumerate(BOUNDS):
        below = BOUNDS[bucket - 1] if bucket else 0
        found = quantile([{bucket: 5}, Counter({bucket: 5})])
        assert found is not None
        assert below < found <= bound


def test_the_last_minute_is_told_apart_from_fifteen() -> None:
    made = Steps()
    made.took(NOW - 300, ["edge"], 2.0)
    made.took(NOW, ["edge"], 0.001)
    made.add(NOW, "7", "edge", "accepted", 1)
    flow = flows(made.counts, NOW)[""]
    assert flow.p99 is not None
    assert flow.p99_now is not None
    assert flow.p99 > 1 > flow.p99_now
    assert max(flow.p99s) > 1


def test_fields_are_parted_as_they_were_written() -> None:
    made = Steps()
    made.add(NOW, "7", "e", "accepted", 1)
    made.took(NOW, ["e"], 0.5)
    (step,) = made.counts.values()
    assert {steps.parted(field)[0] for field in step} == {"", "se", "k7"}
