"""What a terminal sends, and what it is shown."""

import os
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

NOT_UTF_8 = os.fsdecode(b"\xff because")


@pytest.mark.parametrize(
    "command",
    [
        ("dlq", "policies", "set", "--days", "30", "--reason", NOT_UTF_8),
        ("dlq", "policies", "set", "--days", "30", "--reason", "x", "--group", NOT_UTF_8),
        ("dlq", "retry", "--reason", NOT_UTF_8),
        ("dlq", "list", "--view", NOT_UTF_8),
        ("dlq", "undo", NOT_UTF_8),
        ("dlq", "purge", "--confirm", "low", "--reason", NOT_UTF_8),
        ("recover_stalled", "--reason", NOT_UTF_8),
        ("queues", "pause", "low", "--reason", NOT_UTF_8),
    ],
)
def test_bytes_that_are_no_text_are_refused_by_name(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """They were a traceback when the database was to hold them."""
    with pytest.raises((CommandError, SystemExit)) as caught:
        call_command(*command, stdout=StringIO(), stderr=StringIO())
    said = f"{caught.value} {capsys.readouterr().err}"
    assert "must be text; this has a character that no text has" in said
