"""The two databases under chaos: what they hold, and how they are taken away."""

import sqlite3
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from tests.postgres import Cluster

#: What migrations put there.
_KEPT = ("django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions")
#: What `read` raises while the database is away.
ERRORS: Final = (sqlite3.Error, psycopg.Error)


class Database(Protocol):
    """One database of a name of its own."""

    vendor: str
    #: As DATABASE_URL has it.
    url: str

    def read(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Places are `%s`. Raises the driver's errors."""

    def empty(self) -> None:
        """Leave the tables, with no row of ours."""


class Sqlite:
    vendor = "sqlite"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def read(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._connect("ro") as connection:
            return connection.execute(query.replace("%s", "?"), parameters).fetchall()

    def empty(self) -> None:
        with self._connect("rw") as connection:
            connection.execute("BEGIN IMMEDIATE")
            # Not those in which a full-text index keeps itself: emptied, it could not be opened any more.
            tables = connection.execute("SELECT name FROM pragma_table_list WHERE type = 'table'").fetchall()
            for (table,) in tables:
                if table not in _KEPT and not table.startswith("sqlite_"):
                    connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - a table of ours
            connection.execute("COMMIT")

    def lock(self) -> sqlite3.Connection:
        """Take the one lock that a writer needs, until the connection is closed."""
        connection = sqlite3.connect(self.file, isolation_level=None, timeout=20, check_same_thread=False)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def _connect(self, mode: str) -> "_Closing":
        return _Closing(f"file:{self.file}?mode={mode}", uri=True, timeout=20, isolation_level=None)


class _Closing(sqlite3.Connection):
    """`with` closes it, where sqlite3's own would commit."""

    def __exit__(self, *raised: object) -> None:  # type: ignore[override]
        self.close()


class Postgresql:
    vendor = "postgresql"

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.url = self.url_through(cluster.folder)
        with self._connect("postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            connection.execute(f"CREATE DATABASE {name}".encode())

    def url_through(self, folder: Path) -> str:
        """Its address by the socket in another folder: a proxy's."""
        return f"postgres://qa@/{self.name}?host={folder}"

    @property
    def socket(self) -> Path:
        return self.cluster.folder / SOCKET

    def read(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._connect(self.name) as connection:
            return connection.execute(query, parameters).fetchall()

    def empty(self) -> None:
        with self._connect(self.name) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            ours = [f'"{table}"' for (table,) in tables if table not in _KEPT]
            # To truncate a few small tables takes longer; a replica looks at no foreign key.
            deletions = [f"DELETE FROM {table}" for table in ours]  # noqa: S608 - tables of ours
            connection.execute(";".join(["SET session_replication_role = replica", *deletions]).encode())

    def make_read_only(self, read_only: bool) -> None:
        """The whole cluster, for every transaction that begins from now on."""
        with self._connect("postgres") as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(
                "ALTER SYSTEM SET default_transaction_read_only = on"
                if read_only
                else "ALTER SYSTEM RESET default_transaction_read_only"
            )
            connection.execute("SELECT pg_reload_conf()")

    def _connect(self, name: str) -> "psycopg.Connection[Any]":
        return psycopg.connect(host=str(self.cluster.folder), user="qa", dbname=name, autocommit=True)


#: What libpq looks for in a folder.
SOCKET = ".s.PGSQL.5432"
