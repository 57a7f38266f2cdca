"""The processes of one instance under supervisor: which they are, and the way to talk to it."""

import http.client
import os
import pwd
import re
import shlex
import sys
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from queueadmin.run import child
from queueadmin.run.errors import CannotStart
from queueadmin.run.home import Home

REPOSITORY = Path(__file__).resolve().parent.parent.parent
#: Everything but Valkey: one group, so that all of it stops at once and before Valkey does.
GROUP = "queueadmin"
#: Seconds between SIGTERM and SIGKILL, for the group and then for Valkey: together under the 10 s
#: that a stop may take.
STOP_SECONDS, VALKEY_STOP_SECONDS = 6, 2
#: A program that ends is started again at once; one that ends sooner than this after 1, 2, 3 … s.
START_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    command: Sequence[str]


def programs(*, host: str, port: int, workers: int, redis: bool = True) -> list[Program]:
    """What runs besides Valkey, in the order of their start. Without Redis the web process does it all."""
    # Checked they are once, before anything starts: 0.9 s of a core for each program.
    manage = (sys.executable, str(REPOSITORY / "manage.py"))
    as_checked = "--skip-checks"
    # Verbosity 0: no access log of Daphne's, which would show the keys in the paths of hooks.
    web = (sys.executable, "-m", "queueadmin.web", "-b", host, "-p", str(port), "-v", "0", "--no-server-name")
    alone = Program("web", (*web, "queueadmin.asgi:application"))
    if not redis:
        return [alone]
    return [
        alone,
        *(
            Program(f"worker-{n}", (*manage, "rqworker", as_checked, "critical", "high", "medium", "low"))
            for n in _count(workers)
        ),
        Program("maintain", (*manage, "maintain", as_checked)),
        Program("publisher", (*manage, "publish_metrics", as_checked)),
    ]


def _count(workers: int) -> range:
    return range(1, workers + 1)


def write_configuration(home: Home, programs: Sequence[Program], *, valkey: Sequence[str] | None) -> Path:
    """Supervisor's configuration, in the home.

    Raises CannotStart when a path holds what its format cannot.
    """
    text = _supervisor_section(home)
    if valkey:
        text += _program_section(home, Program("valkey", valkey), autostart=True, stop=VALKEY_STOP_SECONDS, priority=1)
    for program in programs:
        text += _program_section(home, program, autostart=False, stop=STOP_SECONDS, priority=10)
    text += f"\n[group:{GROUP}]\nprograms={','.join(program.name for program in programs)}\npriority=10\n"
    path = home.path / "supervisor.conf"
    path.write_text(text)
    return path


def _supervisor_section(home: Home) -> str:
    user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else ""
    return f"""\
; Written at every start; changes here are lost.
[supervisord]
nodaemon=true
silent=true
identifier=queueadmin
logfile={_value(home.logs / "supervisor.log")}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={_value(home.path / "supervisor.pid")}
directory={_value(REPOSITORY)}
umask=077
{f"user={user}" if user else ""}

[unix_http_server]
file={_value(home.sockets / "supervisor.sock")}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{_value(home.sockets / "supervisor.sock")}
"""


def _program_section(home: Home, program: Program, *, autostart: bool, stop: int, priority: int) -> str:
    wrapped = held_command(home, program.name, program.command)
    return f"""
[program:{program.name}]
command={_value(" ".join(shlex.quote(part) for part in wrapped))}
autostart={str(autostart).lower()}
autorestart=true
startsecs={START_SECONDS}
startretries=1000000
stopwaitsecs={stop}
killasgroup=true
priority={priority}
redirect_stderr=true
stdout_logfile={_value(home.logs / f"{program.name}.log")}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def held_command(home: Home, name: str, command: Sequence[str]) -> list[str]:
    """`command`, started through child.py."""
    return [sys.executable, "-I", "-S", child.__file__, str(home.pids), name, *command]


def _value(value: object) -> str:
    text = str(value)
    if re.search(r"\s[;#]|\n", text):  # the rest would be read as a comment
        raise CannotStart(f"The path {text!r} must not hold a blank followed by ; or #.")
    return text.replace("%", "%%")


class Supervisor:
    """A running supervisord, through its socket. Methods raise OSError while it does not answer."""

    def __init__(self, address: Path) -> None:
        self._address = address

    def processes(self) -> list[dict[str, Any]]:
        """Each program: name, statename, pid, spawnerr and the rest of supervisor's fields."""
        found: list[dict[str, Any]] = self._call("getAllProcessInfo")
        return found

    def start_group(self) -> None:
        """Start everything but Valkey, without waiting for it."""
        self._call("startProcessGroup", GROUP, False)

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._address}")
        try:
            proxy: Any = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        except (xmlrpc.client.Error, http.client.HTTPException) as error:
            raise OSError(f"supervisor does not answer: {error}") from error
        finally:
            transport.close()
