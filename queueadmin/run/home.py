"""The home: the folder that holds everything this instance writes.

Readable by its owner alone. `lock` in it names the process that runs on it, and is held for as long
as that process lives; `pids/` tells which children are alive (see `children.py`).
"""

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from queueadmin.run.errors import CannotStart

#: The kernel's limit for a unix socket's path, without the closing NUL: 107 on Linux, 103 on macOS.
SOCKET_PATH_LIMIT = 103
#: Supervisor binds its socket under a name that ends in its pid, and links it to its own name then.
_LONGEST_SOCKET_NAME = len("/supervisor.sock.4194304")


class Home:
    """The folders of one instance. Making it creates them and takes the lock.

    Raises CannotStart when the folder cannot be used or another process runs on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        os.umask(0o077)
        _make_private(path)
        self._lock = self._take_lock()
        for folder in (self.logs, self.pids, self.valkey):
            _make_private(folder)
        self.sockets = socket_folder(path)
        _make_private(self.sockets, shared_place=not self.sockets.is_relative_to(path))

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def pids(self) -> Path:
        return self.path / "pids"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def redis_url(self) -> Path:
        return self.path / "redis.url"

    def _take_lock(self) -> int:
        path = self.path / "lock"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotStart(f"QUEUEADMIN_HOME {self.path} cannot be written: {error.strerror}.") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 20).decode().strip() or "unknown"
            os.close(file)
            raise CannotStart(
                f"queueadmin already runs in {self.path} as process {holder};"
                " stop it, or set QUEUEADMIN_HOME to another folder (and PORT to another port)."
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        return file

    def close(self) -> None:
        """Leave nothing behind that belongs to a running instance; data and logs stay."""
        for path in (self.redis_url, *self.sockets.iterdir()):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.sockets.rmdir()
        os.ftruncate(self._lock, 0)
        os.close(self._lock)


def socket_folder(home: Path) -> Path:
    """Where the sockets of a home are: in it, or where its path is too long in a short one of this user and home."""
    folder = home / "sockets"
    if _fits(folder):
        return folder
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"queueadmin-{os.geteuid()}-{digest}"
    return folder if _fits(folder) else Path("/tmp") / folder.name  # noqa: S108 - made and checked to be ours alone


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder)) + _LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT


def _make_private(path: Path, *, shared_place: bool = False) -> None:
    """The folder exists, is ours, and nobody else may look in.

    In a shared place like /tmp a folder or a link that somebody else put there is refused.
    """
    name = f"QUEUEADMIN_HOME {path}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat(follow_symlinks=not shared_place)
        if found.st_uid != os.geteuid() and (shared_place or os.geteuid() != 0):
            raise CannotStart(f"{name} belongs to another user; set QUEUEADMIN_HOME to a folder of your own.")
        if not stat.S_ISDIR(found.st_mode):
            raise FileExistsError
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
    except FileExistsError:
        raise CannotStart(f"{name} is a file, not a folder.") from None
    except OSError as error:
        raise CannotStart(f"{name} cannot be written: {error.strerror}.") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise CannotStart(f"{name} cannot be written.")
