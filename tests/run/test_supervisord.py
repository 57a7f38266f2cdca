"""Logs on a full disk: lines are lost, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from supervisor import loggers

from queueadmin.run.supervisord import bear_full_disks


@pytest.fixture
def bearing(monkeypatch: pytest.MonkeyPatch) -> None:
    # What it sets is set back afterwards.
    monkeypatch.setattr(loggers.Handler, "handleError", loggers.Handler.handleError)
    monkeypatch.setattr(loggers.RotatingFileHandler, "emit", loggers.RotatingFileHandler.emit)
    bear_full_disks()


def line(text: str) -> Any:
    return loggers.LogRecord(loggers.LevelsByName.INFO, text)


@pytest.mark.usefixtures("bearing")
def test_a_full_disk_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the supervisor's own output is on it."""
    handler = loggers.RotatingFileHandler("/dev/full", maxBytes=1000)
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", full)
        for number in range(5_000):
            handler.emit(line(f"{number}"))
    handler.stream.raw.close()  # what is still in its buffer cannot be written either


@pytest.mark.usefixtures("bearing")
def test_it_goes_on_when_no_new_file_could_be_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "web.log"
    handler = loggers.RotatingFileHandler(str(log), maxBytes=10, backupCount=1)
    handler.setFormat("%(message)s\n")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(loggers, "open", full, raising=False)
        handler.emit(line("longer than ten bytes"))
        assert handler.stream.closed
    handler.emit(line("again"))
    handler.close()
    assert log.read_text() == "again\n"
