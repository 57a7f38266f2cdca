"""What every test may use: a real Valkey of its own on a socket in a temporary folder."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from django.test import TransactionTestCase
from pytest_django.plugin import DjangoDbBlocker

from ingest import spool
from tests import patience
from tests.emptying import Emptying
from tests.postgres import Cluster, programs
from tests.valkey import MAXMEMORY, Valkey
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.instance import Instance

__all__ = ["Valkey", "wait_until"]

#: Made by tests/settings.py.
_HOME = Path(os.environ["QUEUEADMIN_HOME"])
#: What takes longest by itself, then what waits for real processes.
_LONGEST = tuple(
    f"{Path(__file__).parent.as_posix()}/{name}"
    for name in (
        "chaos/test_faults", "test_on_postgresql", "console/openapi/test_schemathesis", "flows/test_spool",
        "run/test_instance", "flows/", "browser/test_pages", "browser/test_incident", "browser/",
        "ingest/maintenance/test_processes", "chaos/", "ingest/worker/", "console/operations/test_workers",
        "console/audit/test_outage", "ingest/api/test_fastlane", "bench/",
    )
)  # fmt: skip
#: Folders whose tests use the shared instance. They follow one another, and it rests after the last.
_OF_INSTANCE = ("run", "flows", "browser")
#: The shared instance of this process, once there is one.
_shared: "list[Instance]" = []


@pytest.fixture(scope="session", autouse=True)
def _session_valkey() -> Iterator[Valkey]:
    """One server a test process, in its home, where the settings look for it."""
    server = Valkey(_HOME)
    yield server
    server.stop()
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _waits() -> Iterator[dict[patience.Wait, float]]:
    """A busy machine is no outage. Returns what the product waits."""
    of_product = patience.of_product()
    with patience.waiting(patience.long()):
        yield of_product


@pytest.fixture
def impatient(_waits: dict[patience.Wait, float]) -> Iterator[None]:
    """For what hangs on purpose: given up as soon as the product does."""
    with patience.waiting(_waits):
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tests that commit are cleaned up after in 2 ms."""
    with django_db_blocker.unblock():
        emptying = Emptying()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", lambda _: emptying.empty())
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL cluster for this test process; skipped by name without the server's programs, failed in CI."""
    if programs() is None:
        reason = "PostgreSQL's server programs (initdb, postgres) were not found"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def _session_client(_session_valkey: Valkey) -> Iterator[redis.Redis]:
    """One for all tests: making one and connecting it takes a quarter of many a test."""
    with redis.Redis.from_url(_session_valkey.url) as client:
        yield client


@pytest.fixture
def empty_redis(_session_client: redis.Redis) -> redis.Redis:
    """The shared server, emptied: the one that the settings point at."""
    with _session_client.pipeline(transaction=False) as pipe:
        pipe.config_set("maxmemory", MAXMEMORY)
        pipe.flushall()
        pipe.execute()
    return _session_client


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server for one test alone, with fsync always, to be killed and started again."""
    with tempfile.TemporaryDirectory(prefix="qa-") as folder:  # a socket's path must be short
        server = Valkey(Path(folder), fsync="always")
        yield server
        server.kill()


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Instance"]:
    """The whole product, running: shared by all flow and browser tests of this process.

    A test that kills or stops parts of it must wait until they are back.
    """
    from tests.instance import Instance

    running = Instance(tmp_path_factory.mktemp("instance"))
    _shared.append(running)
    try:
        yield running.start()
    finally:
        _shared.remove(running)  # else the next test would wake one that did not start
        running.discard()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if "instance" in getattr(item, "fixturenames", ()):
        for running in _shared:
            running.wake()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Idle, an instance takes a thirtieth of a core: three of them a tenth, for the rest of a run."""
    done = yield
    if nextitem is not None and nextitem.path.parent.name not in _OF_INSTANCE:
        for running in _shared:
            running.rest()
    return done


@pytest.fixture(autouse=True)
def _spool_forgotten() -> Iterator[None]:
    """Nothing is known of an earlier test's spool, and its thread leaves the database alone."""
    yield
    spool.forget()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for real processes goes first, so that no long file is left for one core at the end.

    For xdist as the Makefile starts it, with --no-loadscope-reorder: by itself it puts files of few tests last.
    """
    items.sort(key=lambda item: _rank(item.path.as_posix()))


def _rank(path: str) -> int:
    return next((rank for rank, name in enumerate(_LONGEST) if path.startswith(name)), len(_LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On CI a skipped browser or PostgreSQL test is a failure: there nothing may be missing."""
    report = yield
    needed = [name for name in ("browser", "postgres") if item.get_closest_marker(name)]
    if report.skipped and needed and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI=true forbids ({needed[0]}): {report.longrepr}"
    return report
