"""Make the virtual environment in .venv and install the pinned requirements, when anything is missing.

    python3 deploy/bootstrap.py [--dev]

Every Python can run this file, also one that is too old for queueadmin: it then looks for a newer one
on PATH, or says in one sentence what is missing. A second run only compares a stamp.
"""

from __future__ import print_function

import hashlib
import os
import subprocess
import sys

OLDEST = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")
REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(REPOSITORY, ".venv")
PYTHON = os.path.join(FOLDER, "bin", "python")


def say(text):
    print(text, file=sys.stderr)
    sys.stderr.flush()


def stop(sentence):
    say(sentence)
    sys.exit(1)


def find_newer_python():
    for name in NEWER_NAMES:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            path = os.path.join(folder, name)
            # A version manager's shim may be there without the version behind it, so it is tried.
            if os.access(path, os.X_OK) and runs(path, "import venv, ensurepip"):
                return path
    return None


def runs(python, code):
    try:
        with open(os.devnull, "w") as nothing:
            return subprocess.call([python, "-c", code], stdout=nothing, stderr=nothing) == 0
    except OSError:
        return False


def require_python():
    """Go on as a newer Python when this one is too old."""
    if sys.version_info >= OLDEST:
        return
    newer = find_newer_python()
    if newer:
        os.execv(newer, [newer] + sys.argv)
    stop(
        "queueadmin needs Python 3.11 or newer, and %s is %d.%d;"
        " install a newer one, or name it: make PYTHON=/path/to/python3.11 run"
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )


def require_venv():
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop(
            "Python's venv module is missing; on Debian and Ubuntu: apt install python%d.%d-venv" % sys.version_info[:2]
        )


def fingerprint(names):
    """What .venv has to match: the requirements and the Python that it was made with."""
    digest = hashlib.sha256(repr(tuple(sys.version_info[:2])).encode())
    for name in names:
        with open(os.path.join(REPOSITORY, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def is_up_to_date(stamp, wanted):
    try:
        with open(stamp) as file:
            return file.read() == wanted and os.access(PYTHON, os.X_OK)
    except (IOError, OSError):
        return False


def make_environment():
    # Broken when the Python that it was made with has gone or was replaced.
    same = "import sys, pip; sys.exit(sys.version_info[:2] != (%d, %d))" % sys.version_info[:2]
    if runs(PYTHON, same):
        return
    say("Making the virtual environment in .venv ...")
    import venv

    venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(FOLDER)


def install(requirements):
    say("Installing %s (the first time this takes a minute) ..." % requirements)
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    if os.geteuid() == 0:
        command.append("--root-user-action=ignore")
    if subprocess.call(command, cwd=REPOSITORY) != 0:
        stop("The requirements could not be installed, see above; is there an index for pip?")


def main():
    dev = "--dev" in sys.argv[1:]
    require_python()
    import fcntl

    names = ["requirements.txt"] + (["requirements-dev.txt"] if dev else [])
    wanted = fingerprint(names)
    stamp = os.path.join(FOLDER, ".installed-dev" if dev else ".installed")
    if is_up_to_date(stamp, wanted):
        return
    require_venv()
    try:
        # Two makes at once: the second waits for the first.
        with open(os.path.join(REPOSITORY, ".venv.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if is_up_to_date(stamp, wanted):
                return
            make_environment()
            install(names[-1])
            with open(stamp, "w") as file:
                file.write(wanted)
    except (IOError, OSError) as error:
        stop("The virtual environment cannot be made in %s: %s" % (FOLDER, error.strerror or error))
    except subprocess.CalledProcessError as error:
        stop("The virtual environment cannot be made in %s: %s" % (FOLDER, error))


if __name__ == "__main__":
    main()
