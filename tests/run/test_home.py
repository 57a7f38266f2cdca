"""The home: private, locked, and usable however long its path is."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from queueadmin.run.errors import CannotStart
from queueadmin.run.home import SOCKET_PATH_LIMIT, Home, socket_folder


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    loose = tmp_path / "home"
    loose.mkdir(mode=0o755)
    home = Home(loose)
    assert {mode(folder) for folder in (home.path, home.logs, home.pids, home.valkey, home.sockets)} == {0o700}
    assert mode(home.path / "lock") == 0o600
    home.close()


def test_a_second_start_names_the_process_that_holds_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    start = "import sys; from pathlib import Path; from queueadmin.run.home import Home; Home(Path(sys.argv[1]))"
    second = subprocess.run([sys.executable, "-c", start, str(tmp_path)], capture_output=True, text=True, check=False)
    assert f"already runs in {tmp_path} as process {os.getpid()};" in second.stderr
    home.close()
    Home(tmp_path).close()


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    start = (
        "import os, signal, sys; from pathlib import Path; from queueadmin.run.home import Home;"
        "home = Home(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", start, str(tmp_path)], check=False)
    assert (tmp_path / "lock").read_text()
    Home(tmp_path).close()


def test_sockets_of_a_long_home_are_in_a_short_folder_of_its_own(tmp_path: Path) -> None:
    first, second = (tmp_path / (letter * 120) for letter in "ab")
    home = Home(first)
    assert len(os.fsencode(home.sockets / "supervisor.sock")) <= SOCKET_PATH_LIMIT
    assert mode(home.sockets) == 0o700
    assert home.sockets != socket_folder(second)
    home.close()
    assert not home.sockets.exists()


@pytest.mark.parametrize("length", range(60, 104))
def test_the_name_that_supervisor_binds_first_fits_too(length: int) -> None:
    """supervisor/http.py binds `<socket>.<pid>`, and pids have up to seven digits."""
    home = Path("/" + "h" * (length - 1))
    assert len(os.fsencode(socket_folder(home) / "supervisor.sock.4194304")) <= SOCKET_PATH_LIMIT


def test_a_short_folder_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ("c" * 120)
    folder = socket_folder(path)
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(CannotStart, match="is a file, not a folder"):
            Home(path)
    finally:
        folder.unlink()


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="is a file, not a folder"):
        Home(tmp_path / "file")


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(CannotStart, match=r"QUEUEADMIN_HOME /proc/queueadmin cannot be written: "):
        Home(Path("/proc/queueadmin"))


def test_a_close_leaves_data_and_takes_what_belongs_to_a_running_instance(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="qa-") as folder:
        home = Home(Path(folder).resolve())
        home.redis_url.write_text("unix:///nowhere")
        (home.sockets / "valkey.sock").touch()
        (home.valkey / "data").touch()
        home.close()
        assert {path.name for path in home.path.iterdir()} == {"lock", "logs", "pids", "valkey"}
        assert (home.valkey / "data").exists()
        assert not (home.path / "lock").read_text()
