"""The SQL statements of a program on SQLite, numbered inside it: SQLite has no wire to sit in."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from django.db.backends.signals import connection_created
from django.db.backends.sqlite3.base import DatabaseWrapper

#: What a program that is not forked from ours is told: a path, and `<name>|<number>|<when>`.
PATH: Final = "CHAOS_STATEMENTS"
KILL: Final = "CHAOS_KILL"


@dataclass(frozen=True, slots=True)
class StatementKill:
    """Where in its SQL a program kills itself."""

    name: str
    number: int
    when: Literal["before", "after"]

    def __str__(self) -> str:
        return f"{self.name}|{self.number}|{self.when}"


def number_as_told() -> None:
    """By the environment, if it says so."""
    if path := os.environ.get(PATH):
        name, _, rest = os.environ.get(KILL, "").partition("|")
        number, _, when = rest.partition("|")
        kill = StatementKill(name, int(number), "before" if when == "before" else "after") if name else None
        number_statements(Path(path), kill)


def number_statements(path: Path, kill: StatementKill | None) -> None:
    """Write down each SQL statement's name, and kill this process at one of them."""
    counts: dict[str, int] = {}
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def around(name: str, execute: Any) -> Any:
        counts[name] = counts.get(name, 0) + 1
        os.write(file, f"{name}\n".encode())
        here = kill is not None and (kill.name, kill.number) == (name, counts[name])
        if here and kill is not None and kill.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = execute()
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def wrap(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        words = sql.replace('"', "").split()
        name = " ".join(words[: 3 if words[0] == "INSERT" else 2])
        return around(name, lambda: execute(sql, params, many, context))

    def install(sender: Any, connection: Any, **kwargs: Any) -> None:
        connection.execute_wrappers.append(wrap)

    commit = DatabaseWrapper._commit  # no statement of Django's

    def _commit(self: DatabaseWrapper) -> Any:
        return around("COMMIT", lambda: commit(self))

    DatabaseWrapper._commit = _commit
    connection_created.connect(install, weak=False)
