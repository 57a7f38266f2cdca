"""How long a process in which people wait waits for PostgreSQL.

A server that hangs, its processes stopped or its disk silent, keeps its connections: a statement on one of them waited
until it came back, and with it the page. libpq bounds connecting alone, and statement_timeout is kept by the server.
"""

import threading
import time
import weakref
from collections.abc import Generator
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar, cast

import psycopg
from psycopg.errors import ConnectionTimeout

T = TypeVar("T")

#: Seconds without an answer to a statement until another connection asks whether the server lives, and between two such
#: questions.
QUIET: Final = 3.0
#: Seconds for which that question waits. libpq takes no less.
PROBE: Final = 2
#: Seconds after which a statement is given up though the server lives. No proxy waits longer for a page: nginx, 60 s.
LONGEST: Final = 60.0
#: Seconds after an answer that did not come in which connecting fails at once.
REST: Final = 3.0


_WAITS: Final = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"


class Patience:
    """What the connections of one process know together. For use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent_until = 0.0
        self._lived_at = 0.0

    def refuse(self) -> None:
        """Raises psycopg.OperationalError while the server went unanswered just now."""
        if time.monotonic() < self._silent_until:
            raise psycopg.OperationalError("PostgreSQL did not answer just now.")

    def rest(self) -> None:
        """Nobody connects for a while: it left somebody without an answer."""
        self._silent_until = time.monotonic() + REST

    def watch(self, connection: "psycopg.Connection[Any]", parameters: dict[str, Any]) -> None:
        """From now on the connection is closed when the server falls silent; what waited for it raises
        psycopg.OperationalError. `parameters`: those that it was opened with."""
        me, wait = weakref.ref(connection), type(connection).wait  # no circle: it closes as soon as nobody holds it

        def waiting(asked: Generator[Any, Any, T], **options: Any) -> T:
            watched = cast("psycopg.Connection[Any]", me())  # it is there: it was called
            return wait(watched, self._patient(asked, watched, parameters), **options)

        connection.wait = waiting  # type: ignore[assignment,method-assign]

    def _patient(
        self, asked: Generator[Any, Any, T], connection: "psycopg.Connection[Any]", parameters: dict[str, Any]
    ) -> Generator[Any, Any, T]:
        """What psycopg waits for, looked at each time that nothing has come for a tenth of a second."""
        began = time.monotonic()
        ask_at = began + QUIET
        try:
            wanted = next(asked)
            while True:
                ready = yield wanted
                if ready:
                    ask_at = time.monotonic() + QUIET
                elif (now := time.monotonic()) >= ask_at:
                    if not self._lives(parameters):
                        connection.pgconn.finish()
                        raise psycopg.OperationalError("PostgreSQL does not answer.")
                    if self._is_locked_out(connection, parameters):
                        _give_up(connection, "PostgreSQL has this wait for a lock that something else holds.")
                    if now - began >= LONGEST:
                        _give_up(connection, f"PostgreSQL took longer than {LONGEST:.0f} s.")
                    ask_at = time.monotonic() + QUIET
                wanted = asked.send(ready)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def _is_locked_out(self, connection: "psycopg.Connection[Any]", parameters: dict[str, Any]) -> bool:
        """Whether what it asked waits for a lock now: a migration may hold one on a whole table, for minutes."""
        try:
            with psycopg.connect(**parameters | {"connect_timeout": PROBE}) as other:
                self.watch(other, parameters)
                return other.execute(_WAITS, [connection.info.backend_pid]).fetchone() is not None
        except psycopg.Error:
            return False

    def _lives(self, parameters: dict[str, Any]) -> bool:
        """Whether the server answers a connection now, if only by refusing it. One thread asks for all that wait."""
        asked_at = time.monotonic()
        with self._lock:
            if self._lived_at >= asked_at:
                return True
            if time.monotonic() < self._silent_until:
                return False
            try:
                psycopg.connect(**parameters | {"connect_timeout": PROBE}).close()
            except ConnectionTimeout:
                self.rest()
                return False
            except psycopg.OperationalError:
                pass  # an answer as well: too many connections, starting up, or nobody there, which ends ours too
            self._lived_at = time.monotonic()
            return True


def _give_up(connection: "psycopg.Connection[Any]", why: str) -> NoReturn:
    """The server is told, which goes on else. Raises psycopg.OperationalError."""
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=PROBE)
    connection.pgconn.finish()
    raise psycopg.OperationalError(why)
