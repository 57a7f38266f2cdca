"""What changed between two frames, and that it adds up as the page adds it (static/console/socket.js, `patched`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from queueadmin.console.live.deltas import between

SAMPLE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "samples" / "snapshot.json").read_bytes())


def _patched(whole: Any, changed: Any) -> Any:
    if not isinstance(changed, dict) or not isinstance(whole, dict | list):
        return changed
    made = dict(enumerate(whole)) if isinstance(whole, list) else dict(whole)
    for name, value in changed.items():
        key: Any = int(name) if isinstance(whole, list) else name
        made[key] = _patched(made.get(key), value)
    return list(made.values()) if isinstance(whole, list) else made


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, {}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, {"a": {"1": {"b": 3}}}),
        ({"a": ["x", "y"]}, {"a": ["x", "z"]}, {"a": {"1": "z"}}),
        ({"a": ["x"]}, {"a": ["x", "z"]}, {"a": ["x", "z"]}),
        ({"a": ["x"]}, {"a": []}, {"a": []}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": {"b": None}}, {"a": {"b": 0}}, {"a": {"b": 0}}),
    ],
)
def test_only_what_changed_and_it_adds_up(before: Any, now: Any, changed: Any) -> None:
    assert between(before, now) == changed
    assert _patched(before, changed) == now


def test_of_a_snapshot_a_tenth_is_sent() -> None:
    now = json.loads(json.dumps(SAMPLE))
    now["seq"] += 1
    now["at"] += 1.0
    for queue in now["queues"]:
        queue |= {"depth": queue["depth"] + 1, "enqueued": queue["enqueued"] + 3, "in_rate": 3.5}
    changed = between(SAMPLE, now)
    assert _patched(SAMPLE, changed) == now
    assert len(json.dumps(changed)) * 10 < len(json.dumps(now))
