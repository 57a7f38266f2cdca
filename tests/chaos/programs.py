"""The product's programs in a lane: started, kept alive as supervisor does, and killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.chaos import roles
from tests.chaos.points import NUMBERED, Program, Watch
from tests.chaos.roles import QUEUE, Surroundings
from tests.chaos.statements import KILL, PATH
from tests.instance import NOT_PASSED_ON, REPOSITORY, free_port
from tests.waiting import NotInTime, wait_until

#: Seconds in which everything must have come to its end, on a busy machine.
DEADLINE: Final = 300.0
_COMMANDS: Final[dict[Program, tuple[str, ...]]] = {"worker": ("rqworker", QUEUE), "maintain": ("maintain",)}

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.chaos.roles"])
#: multiprocessing's own books are not for several threads.
_books: Final = threading.Lock()


class Programs:
    """`database` is the address by which a program finds it. Redis is in a folder of the program's name."""

    def __init__(self, folder: Path, watch: Watch, *, database: Callable[[Program], str], numbered: bool) -> None:
        """With `numbered` they note their SQL, since nobody sits in between."""
        self._folder = folder
        self._watch = watch
        self._database = database
        self._numbered = numbered
        self._running: dict[Program, Any] = {}
        self._wanted: set[Program] = set()
        self.port: Final = free_port()

    def start(self, *programs: Program) -> None:
        """Start them now, and again whenever they die."""
        self._wanted.update(programs)
        self.keep_alive()

    def stop(self) -> None:
        """kill -9 of all."""
        self._wanted.clear()
        while self._running:
            _, running = self._running.popitem()
            with _books:
                running.kill()
                running.wait() if isinstance(running, subprocess.Popen) else running.join()

    def kill(self, program: Program) -> None:
        """kill -9, from any thread; `keep_alive` starts it again."""
        if running := self._running.get(program):
            os.kill(running.pid, signal.SIGKILL)

    def terminate(self, program: Program) -> None:
        """SIGTERM, and nobody starts it again."""
        self._wanted.discard(program)
        os.kill(self._running[program].pid, signal.SIGTERM)

    def is_alive(self, program: Program) -> bool:
        running = self._running.get(program)
        if running is None:
            return False
        if isinstance(running, subprocess.Popen):
            return running.poll() is None
        with _books:
            return bool(running.is_alive())

    def keep_alive(self) -> None:
        for program in self._wanted:
            if not self.is_alive(program):
                if program in self._running:
                    self._watch.struck.set()  # by itself, at an SQL statement; no other program dies unasked
                if program == "web":
                    self._running[program] = self._spawn_web()
                else:
                    self._running[program] = self._fork(program, roles.command, _COMMANDS[program])

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Return when it holds; meanwhile what died is started again. Raises NotInTime."""

        def holds() -> bool:
            if condition():
                return True
            self.keep_alive()
            return False

        wait_until(holds, seconds=DEADLINE, what=what)

    def operate(self, method: str, *arguments: object, **options: object) -> None:
        """An operator asks for a transition; killed or refused, they ask again."""
        for _ in range(3):
            if self._ends_well(roles.operation, method, arguments, options):
                return
        raise NotInTime(f"the operator's {method} fails: {self.said('operator')}")

    def once(self, target: Callable[..., None], *arguments: object) -> None:
        """Run a function of `roles` in a program of its own, to its end."""
        assert self._ends_well(target, *arguments), self.said("operator")

    def said(self, program: Program) -> str:
        """The end of its log."""
        path = self._folder / f"{program}.log"
        return path.read_text(errors="replace")[-1500:] if path.exists() else ""

    def _ends_well(self, target: Callable[..., None], *arguments: object) -> bool:
        process = self._running["operator"] = self._fork("operator", target, *arguments)
        try:
            wait_until(lambda: not self.is_alive("operator"), seconds=DEADLINE, what="the operator's answer")
        except NotInTime as error:
            raise NotInTime(f"{error}: {self.said('operator')}") from None
        return bool(process.exitcode == 0)

    def _fork(self, program: Program, target: Callable[..., None], *arguments: object) -> Any:
        where = Surroundings(
            redis=self._redis(program),
            database=self._database(program),
            home=self._folder,
            log=self._folder / f"{program}.log",
            statements=self._watch.path(program) if self._numbered and program in NUMBERED else None,
            kill=self._watch.take_kill(program),
        )
        with _books:
            process = _context.Process(target=target, args=(where, *arguments))
            process.start()
        return process

    def _redis(self, program: Program) -> str:
        return f"unix://{self._folder / program}/valkey.sock"

    def _spawn_web(self) -> "subprocess.Popen[bytes]":
        """Daphne cannot be forked: its reactor is made when it is imported."""
        environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON} | {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "QUEUEADMIN_HOME": str(self._folder / "home"),
            "REDIS_URL": self._redis("web"),
            "DATABASE_URL": self._database("web"),
        }
        if self._numbered:
            environment[PATH] = str(self._watch.path("web"))
            if kill := self._watch.take_kill("web"):
                environment[KILL] = str(kill)
        with (self._folder / "web.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "queueadmin.web", "-b", "127.0.0.1", "-p", str(self.port), "-v", "0",
                 "queueadmin.asgi:application"],
                cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
