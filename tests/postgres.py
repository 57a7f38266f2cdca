"""A PostgreSQL cluster of one's own in a temporary folder, on a socket, run by an unprivileged user."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg


def programs() -> Path | None:
    """The folder of PostgreSQL's server programs: on PATH, else Debian's newest; None without one."""
    found = shutil.which("postgres")
    if found and (Path(found).parent / "initdb").exists():
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class Cluster:
    """Started with `Cluster()`; `url` names a fresh database; `stop` removes everything."""

    def __init__(self, *options: str) -> None:
        found = programs()
        assert found is not None, "PostgreSQL's server programs were not found"
        self.programs = found
        # initdb refuses root.
        self._user = "nobody" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="qa-pg-"))
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.options = options
        self._run("initdb", "-D", str(self.data), "-U", "qa", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        self.start()
        with psycopg.connect(host=str(self.folder), user="qa", dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE queueadmin")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"postgres://qa@/queueadmin?host={self.folder}"

    def start(self) -> None:
        flags = [f"-k {self.folder}", "-c listen_addresses=", "-c fsync=off", *self.options]
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-l", log, "-o", " ".join(flags), "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments],
            check=True,
            user=self._user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )
