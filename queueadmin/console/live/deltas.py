"""What changed from one frame to the next, so that 500 sockets are told that and not everything.

A delta is applied by walking both: where it has an object, the members of the frame's object, or of its list by
index, are replaced one by one; anything else in it stands in the place of what was there. Frames have the same members
each time, and null is a value like any other.
"""

from typing import Any, Final

#: Of a member that did not change. None cannot say it.
_SAME: Final = object()


def between(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The members of `now` that differ from those of `before`."""
    changed: dict[str, Any] = {}
    for name, value in now.items():
        different = _difference(before.get(name, _SAME), value)
        if different is not _SAME:
            changed[name] = different
    return changed


def _difference(before: Any, now: Any) -> Any:
    if before == now:
        return _SAME
    if isinstance(now, dict) and isinstance(before, dict):
        return between(before, now)
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before) and now:
        by_index = {str(place): _difference(*both) for place, both in enumerate(zip(before, now, strict=True))}
        return {place: different for place, different in by_index.items() if different is not _SAME}
    return now
