"""Values of environment variables: by kind, by any of their names, and a sentence for a wrong one."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from queueadmin.environment import flag, names, number, text


def test_values_are_read_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"A_TEXT": "x", "A_FLAG": " Yes ", "A_NUMBER": "7", "SOME_NAMES": "a, b,,"}.items():
        monkeypatch.setenv(name, value)
    assert text("OTHER_NAME", "default", "A_TEXT") == "x"
    assert text("OTHER_NAME", "default") == "default"
    assert flag("A_FLAG", False)
    assert number("A_NUMBER", 1) == 7
    assert names("SOME_NAMES") == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("many", "A_NUMBER must be a whole number, not 'many'."),
        ("11", "A_NUMBER must be between 0 and 10, not 11."),
    ],
)
def test_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    monkeypatch.setenv("A_NUMBER", value)
    with pytest.raises(ImproperlyConfigured, match=said):
        number("A_NUMBER", 1, most=10)
