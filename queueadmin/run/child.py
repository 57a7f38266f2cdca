"""Start one program so that it can always be found again, then become it.

    python child.py FOLDER NAME PROGRAM [ARGUMENT …]

The program holds a lock on FOLDER/NAME.PID for as long as it lives: the lock is taken here and goes
through exec, and to every process that the program forks. So a start can tell what an earlier run
left behind, whatever happened to its parent, and a pid that was given to somebody else is never
mistaken for one of ours. On Linux the kernel also sends it SIGTERM when its parent dies.

Runs by its path with `python -I -S`, so it imports the standard library only and costs 20 ms.
"""

import fcntl
import os
import sys
from pathlib import Path


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent goes (Linux; elsewhere the lock alone must do)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes
    import signal

    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it went before the kernel knew of our wish
        sys.exit(1)


def hold(folder: Path, name: str) -> None:
    """Lock FOLDER/NAME.PID under descriptor 3, which exec keeps."""
    path = folder / f"{name}.{os.getpid()}"
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if _is_still_there(path, file):
            break
        os.close(file)  # somebody swept the file away between open and lock
    # supervisord closes every descriptor above 4 when it starts, so this one has to be low.
    if file != 3:
        os.dup2(file, 3)
        os.close(file)
    os.set_inheritable(3, True)


def _is_still_there(path: Path, file: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False


def main() -> None:
    folder, name, *command = sys.argv[1:]
    die_with_parent()
    hold(Path(folder), name)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]} cannot be executed: {error.strerror}")


if __name__ == "__main__":
    main()
