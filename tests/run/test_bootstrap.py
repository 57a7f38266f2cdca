"""The first thing that runs on a newcomer's machine: what is missing is one sentence, what is there is left alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instance import REPOSITORY


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose only requirement is one that cannot be installed."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(REPOSITORY / "deploy" / "bootstrap.py", tmp_path / "deploy")
    (tmp_path / "requirements.txt").write_text("queueadmin-does-not-exist @ file:///nowhere/at/all\n")
    return tmp_path


def bootstrap(repository: Path, *, before: str = "", path: str = "/nowhere") -> "subprocess.CompletedProcess[str]":
    """Run it after the lines `before`, which change what it sees of this machine."""
    script = repository / "deploy" / "bootstrap.py"
    code = (
        f"import runpy, sys\n{before}\nsys.argv = [{str(script)!r}]\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env={"PATH": path}, capture_output=True, text=True, check=False
    )


def test_an_old_python_is_told_so(repository: Path) -> None:
    run = bootstrap(repository, before="sys.version_info = (3, 6, 15, 'final', 0)")
    assert run.returncode == 1
    assert run.stderr == (
        f"queueadmin needs Python 3.11 or newer, and {sys.executable} is 3.6; install a newer one,"
        " or name it: make PYTHON=/path/to/python3.11 run\n"
    )


def test_a_newer_python_on_path_is_taken_instead(repository: Path, tmp_path: Path) -> None:
    newer = tmp_path / "bin" / "python3.13"
    newer.parent.mkdir()
    newer.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "the newer one runs $1"\n')
    newer.chmod(0o700)
    run = bootstrap(repository, before="sys.version_info = (2, 7, 18, 'final', 0)", path=f"{newer.parent}:/bin")
    assert run.stdout == f"the newer one runs {repository}/deploy/bootstrap.py\n"


def test_the_file_holds_nothing_that_an_old_python_cannot_read() -> None:
    source = (REPOSITORY / "deploy" / "bootstrap.py").read_text()
    compile(source, "bootstrap.py", "exec", dont_inherit=True)
    assert not any(new in source for new in ('f"', "f'", ":=", " -> ", "async ", "match "))


def test_a_missing_venv_module_is_one_sentence(repository: Path) -> None:
    run = bootstrap(repository, before="sys.modules['ensurepip'] = None")
    assert run.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert run.stderr == (f"Python's venv module is missing; on Debian and Ubuntu: apt install python{version}-venv\n")


def test_a_folder_that_cannot_be_written_is_one_sentence(repository: Path) -> None:
    (repository / ".venv.lock").mkdir()
    run = bootstrap(repository)
    assert run.returncode == 1
    assert run.stderr == f"The virtual environment cannot be made in {repository}/.venv: Is a directory\n"


def test_requirements_that_cannot_be_installed_end_in_one_sentence_and_are_tried_again(repository: Path) -> None:
    (repository / ".venv").symlink_to(sys.prefix)
    for _ in range(2):
        run = bootstrap(repository)
        assert run.returncode == 1
        assert run.stderr.endswith("The requirements could not be installed, see above; is there an index for pip?\n")


def test_a_second_run_only_compares_a_stamp(repository: Path) -> None:
    (repository / ".venv" / "bin").mkdir(parents=True)
    (repository / ".venv" / "bin" / "python").symlink_to(sys.executable)
    fingerprint = (
        "import runpy; print(runpy.run_path('deploy/bootstrap.py')['fingerprint'](['requirements.txt']), end='')"
    )
    wanted = subprocess.run(
        [sys.executable, "-c", fingerprint], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    (repository / ".venv" / ".installed").write_text(wanted)
    run = bootstrap(repository)
    assert (run.returncode, run.stderr) == (0, "")

    (repository / "requirements.txt").write_text("another-one @ file:///nowhere/at/all\n")
    assert bootstrap(repository).returncode == 1
