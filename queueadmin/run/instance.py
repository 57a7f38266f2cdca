"""One running instance: its order of start, what it watches, and its stop."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import redis
from django.conf import settings
from django.db import connections

from queueadmin.run import children, first_start
from queueadmin.run.address import answers, shown, usable_port
from queueadmin.run.errors import CannotStart
from queueadmin.run.external_redis import check_external_redis
from queueadmin.run.home import Home
from queueadmin.run.supervise import (
    REPOSITORY,
    Program,
    Supervisor,
    held_command,
    programs,
    write_configuration,
)
from queueadmin.run.terminal import say, terminal
from queueadmin.run.valkey import NoServer, find_server, quarter_of_memory, server_arguments

#: Everything has to be gone within 10 s: supervisord has the first 9 (6 + 2 and its own second).
STOP_SECONDS = 9
START_SECONDS = 120


class Stop(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP came."""


class Instance:
    """`run()` starts it, stays until it is told to stop, and leaves nothing behind."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._supervisor = Supervisor(home.sockets / "supervisor.sock")
        self._supervisord: subprocess.Popen[bytes] | None = None
        self._pids: dict[str, int] = {}
        self._failures: set[int] = set()
        self._deadline = 0.0

    def run(self) -> None:
        """Raises CannotStart when it cannot start, or cannot go on."""
        previous = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            self._start()
            self._watch()
        except Stop:
            say("Stopping …")
        finally:
            for number in previous:
                signal.signal(number, signal.SIG_IGN)  # the stop takes its 10 s, however often it is asked for
            self._stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    # --- start --------------------------------------------------------------------------------

    def _start(self) -> None:
        self._stop_leftovers()
        port = usable_port(settings.HOST, settings.PORT)
        warnings = first_start.check_settings()
        password = first_start.take_given_password()
        if os.geteuid() == 0:
            warnings = [*warnings, "running as root; nothing here needs it, and a user of its own is safer."]
        for warning in warnings:
            say(f"Warning: {warning}")
        self._start_supervisor(
            programs(host=settings.HOST, port=port, workers=settings.WORKERS, redis=settings.REDIS), port
        )
        say("Preparing the database and the pages …")
        first_start.prepare_database()
        first_start.collect_static()
        needs_password = first_start.ensure_admin(password)
        self._check_redis()
        self._supervisor.start_group()
        self._wait("web", lambda: answers(settings.HOST, port))
        connections.close_all()
        self._look()
        self._greet(
            settings.PUBLIC_URL or f"http://{shown(settings.HOST)}:{port}{settings.SCRIPT_NAME}/", needs_password
        )

    def _stop_leftovers(self) -> None:
        left = children.alive(self._home.pids)
        if not left:
            return
        names = ", ".join(str(child) for child in left)
        say(f"An earlier run was killed and left these processes behind: {names}. Stopping them first.")
        if left := children.stop(self._home.pids, grace=STOP_SECONDS):
            pids = " ".join(str(child.pid) for child in left)
            raise CannotStart(f"They cannot be stopped; try: kill -9 {pids}")

    def _start_supervisor(self, others: list[Program], port: int) -> None:
        valkey = self._valkey_command() if settings.REDIS_EMBEDDED else None
        configuration = write_configuration(self._home, others, valkey=valkey)
        # The address that children and other commands of this home read in settings.py.
        if valkey:
            self._home.redis_url.write_text(f"{self._redis_url}\n")
        else:
            self._home.redis_url.unlink(missing_ok=True)
        command = (sys.executable, "-m", "queueadmin.run.supervisord", "-n", "-c", str(configuration))
        with (self._home.logs / "supervisor.out").open("wb") as output:
            self._supervisord = subprocess.Popen(
                held_command(self._home, "supervisord", command),
                cwd=REPOSITORY,
                # Absolute, since a relative home would be looked for elsewhere by other commands.
                env={
                    **os.environ,
                    "QUEUEADMIN_HOME": str(self._home.path),
                    "PORT": str(port),
                    "PYTHONUNBUFFERED": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C goes to the terminal's whole process group: only we shall hear it.
                start_new_session=True,
            )
        self._wait("supervisor", lambda: self._supervisor.processes() is not None)

    def _valkey_command(self) -> list[str]:
        try:
            program = find_server()
        except NoServer as error:
            raise CannotStart(f"The embedded Redis cannot start: {error}.") from None
        maxmemory = settings.REDIS_MAXMEMORY or quarter_of_memory()
        return [str(program), *server_arguments(self._home.valkey, maxmemory=maxmemory, socket=self._socket)]

    def _check_redis(self) -> None:
        if not settings.REDIS:
            say("REDIS=false: the web process takes events in and runs them, and the database holds them until then.")
            return
        if not settings.REDIS_EMBEDDED:
            for warning in check_external_redis(on_wait=say):
                say(f"Warning: {warning}")
            return
        self._wait("valkey", self._redis_answers)

    @property
    def _socket(self) -> Path:
        return self._home.sockets / "valkey.sock"

    @property
    def _redis_url(self) -> str:
        return f"unix://{self._socket}"

    def _redis_answers(self) -> bool:
        with redis.Redis(unix_socket_path=str(self._socket), socket_timeout=5) as client:
            try:
                return bool(client.ping())
            except redis.BusyLoadingError:
                self._deadline = time.monotonic() + START_SECONDS  # it reads its log: that may take long
                return False
            except redis.RedisError:
                return False

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Until `ready()`; raises CannotStart, with the end of the log, when the program `name` does not come up."""
        self._deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                if ready():
                    return
            if self._ended():
                raise CannotStart(f"supervisor ended at once.\n{self._end_of_log('supervisor.out')}")
            if self._failed_often(name) or time.monotonic() > self._deadline:
                raise CannotStart(f"{name} does not come up; its log ends so:\n{self._end_of_log(f'{name}.log')}")
            time.sleep(0.05)

    def _failed_often(self, name: str) -> bool:
        """The program ended soon after its start; it may try again once, as a port needs time to get free."""
        with contextlib.suppress(OSError):
            for process in self._supervisor.processes():
                if process["name"] == name and process["statename"] == "BACKOFF":
                    self._failures.add(process["start"])
                    return len(self._failures) > 1
        return False

    def _end_of_log(self, name: str) -> str:
        try:
            lines = (self._home.logs / name).read_text(errors="replace").splitlines()
        except OSError:
            return "(it wrote nothing)"
        return "\n".join(f"    {line}" for line in lines[-15:])

    def _greet(self, url: str, needs_password: bool) -> None:
        say(f"Logs are in {self._home.logs}. Ctrl-C stops everything.")
        with terminal() as screen:
            if not needs_password:
                say(f"queueadmin runs at {url}")
            elif screen is None:
                say(f"queueadmin runs at {url}")
                say(
                    "The user admin has no password yet, since there is no terminal to show one on: start it in a"
                    " terminal, set QUEUEADMIN_ADMIN_PASSWORD, or run: .venv/bin/python manage.py changepassword admin"
                )
            else:
                say(f"queueadmin runs at {url}")
                password = first_start.give_one_time_password()
                screen.write(f"Log in as {first_start.ADMIN} with the password {password}\n")
                screen.write("It is shown this once; change it under Account.\n")
                screen.flush()

    # --- while it runs ------------------------------------------------------------------------

    def _watch(self) -> None:
        """Until supervisord ends; says when a program had to be started again."""
        while not self._ended(within=1):
            self._look()
        raise CannotStart("supervisor ended by itself, so everything was stopped; see logs/supervisor.log in the home.")

    def _look(self) -> None:
        with contextlib.suppress(OSError):
            for process in self._supervisor.processes():
                self._notice(process["name"], process["pid"], process["statename"])

    def _notice(self, name: str, pid: int, state: str) -> None:
        if state not in {"STARTING", "RUNNING"}:
            return
        before = self._pids.get(name, pid)
        self._pids[name] = pid
        if pid != before:
            say(f"{name} ended unexpectedly (process {before}) and was started again (process {pid}).")

    def _ended(self, *, within: float = 0) -> bool:
        """Whether supervisord has ended, or does so within that many seconds."""
        if self._supervisord is None:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._supervisord.wait(timeout=within)
        return self._supervisord.returncode is not None

    # --- stop ---------------------------------------------------------------------------------

    def _stop(self) -> None:
        if self._supervisord is not None:
            self._supervisord.terminate()
        self._ended(within=STOP_SECONDS)
        left = children.alive(self._home.pids)
        if left:  # supervisord was killed, or a program forked something that outlived it
            left = children.stop(self._home.pids, grace=0.2, kill_wait=1)
        self._ended(within=1)  # reaps it
        if left:
            say(f"These processes cannot be stopped: {', '.join(str(child) for child in left)}")
        self._home.close()


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stop
