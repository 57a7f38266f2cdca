"""A secret goes to a terminal or nowhere."""

import os
import pty
import subprocess
import sys

_SHOW = """
from queueadmin.run.terminal import terminal
with terminal() as screen:
    print("none" if screen is None else "a screen")
    if screen:
        screen.write("the secret")
"""


def test_without_a_terminal_there_is_no_screen() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _SHOW], stdout=subprocess.PIPE, start_new_session=True, check=True, text=True
    )
    assert shown.stdout == "none\n"


def test_with_output_sent_to_a_file_the_secret_goes_to_the_terminal_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "output"
    pid, terminal = pty.fork()
    if pid == 0:  # a session of its own, with the terminal as its controlling one
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), 1)
        os.execv(sys.executable, [sys.executable, "-c", _SHOW])  # noqa: S606
    _, status = os.waitpid(pid, 0)
    assert status == 0
    assert os.read(terminal, 100) == b"the secret"
    os.close(terminal)
    assert file.read_text() == "a screen\n"
