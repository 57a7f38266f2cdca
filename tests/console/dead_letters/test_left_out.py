"""What is left out when many go back at once (issue 8 part 4)."""

import pytest

from queueadmin.console.dead_letters.left_out import told, why_left


@pytest.mark.parametrize(
    ("reason", "permanent", "whys"),
    [
        # Asked for: nothing, poison, permanent, both.
        ("error", False, ("", "", "", "")),
        (None, False, ("", "", "", "")),
        ("permanent", False, ("", "", "", "")),  # so said its handler, not a person
        ("poison", False, ("poison", "", "poison", "")),
        ("error", True, ("permanent", "permanent", "", "")),
        ("poison", True, ("poison", "permanent", "poison", "")),
    ],
)
def test_why_one_is_left(reason: str | None, permanent: bool, whys: tuple[str, ...]) -> None:
    asked = ((False, False), (True, False), (False, True), (True, True))
    assert whys == tuple(
        why_left(reason, permanent=permanent, include_poison=poison, include_permanent=marked)
        for poison, marked in asked
    )


def test_how_many_is_told_apart() -> None:
    assert told(9, 3) == "12 jobs left out: 9 poison, 3 marked permanent"
    assert (told(1_200, 0), told(0, 1)) == ("1,200 jobs left out, being poison", "1 job left out, marked permanent")
    assert told(0, 0) == ""
