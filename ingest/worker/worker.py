"""BatchWorker: RQ's worker with a work loop of its own.

Delivery is at least once; a batch handler's effects happen once (see `ingest.jobs`). A job is taken
under a lease in the same step that takes it off its queue, so a worker that dies loses nothing: the
lease lapses and maintenance takes the job back.
"""

import logging
import os
import secrets
import signal
import socket
import time
from contextlib import suppress
from types import FrameType
from typing import Any, Final

import redis
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Worker, worker_registration
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended
from rq.utils import now, utcformat
from rq.worker import WorkerStatus

from ingest import database
from ingest.queue import keys
from ingest.queue.connections import RedisUnavailable, wait_for_redis
from ingest.queue.transitions import CHUNK, Claim, ClaimedJob, Transitions, new_id
from ingest.worker.alarm import Alarm, Halt
from ingest.worker.batch import Batch
from ingest.worker.foreign import run_foreign
from ingest.worker.leases import Leases
from ingest.worker.pace import Pace
from ingest.worker.settle import Settlement

logger = logging.getLogger("rq.worker")

#: Seconds that a batch may go on after SIGTERM. Everything stops within 10 s of Ctrl-C.
GRACE: Final = 5.0
#: Seconds between two looks at RQ's `suspended` flag.
SUSPENSION: Final = 1.0
#: Waits for Redis or the database to come back, in seconds, each twice the one before.
SHORTEST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 10.0


class BatchWorker(Worker):
    """`manage.py rqworker critical high medium low`.

    Serves its queues in strict priority order, as many jobs at a time as about a second of work.
    Goes on through outages of Redis and of the database. SIGTERM: no new claim, the batch has GRACE
    seconds, the rest goes back to the front of its queue.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["serializer"] = JSONSerializer  # rqworker passes pickle where none is named
        runs = kwargs.get("prepare_for_work", True)
        if runs and not kwargs.get("name"):
            kwargs["name"] = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        # A dead worker leaves the list when its hash expires: RQ adds 60 s to this.
        kwargs["worker_ttl"] = max(30, 3 * settings.LEASE_SECONDS - 60)
        if runs:
            try:
                wait_for_redis(on_wait=logger.warning)
            except RedisUnavailable as error:
                raise redis.ConnectionError(str(error)) from None  # rqworker prints it and exits with 1
        super().__init__(*args, **kwargs)
        if runs:
            # One immediate try on a new connection, for those that a restart of Redis has cut; waiting
            # is done by the loop, which a signal can end. A try has the request id of the first.
            self.connection.set_retry(Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)))
        self._alarm = Alarm()
        self._pace = Pace(settings.CLAIM_LIMIT)
        self._pending: tuple[str, int] | None = None  # a claim without an answer: its id and limit
        self._suspension_seen = 0.0
        self._waits_for = ""
        self._wait = SHORTEST_WAIT
        self._redis_away = False

    # --- the loop -----------------------------------------------------------------------------

    def work(
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = "%H:%M:%S",
        log_format: str = "%(asctime)s %(message)s",
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: Any = None,
    ) -> bool:
        """Work until a signal; with `burst` until the queues are empty. True when any job was run.

        `with_scheduler` and `dequeue_strategy` are RQ's and have no effect: maintenance promotes what
        is due, and the order of queues is strict.
        """
        signal.signal(signal.SIGINT, self.request_stop)
        signal.signal(signal.SIGTERM, self.request_stop)
        connection_created.connect(_bound_transactions, dispatch_uid="ingest.worker")
        connections.close_all()  # a pool forks its workers
        self._transitions = Transitions(self.connection)
        done, idle_since = 0, time.monotonic()
        try:
            self._begin(logging_level, date_format, log_format)
            with Leases(self.connection, settings.LEASE_SECONDS, self._beat) as self._leases:
                while not self._stop_requested:
                    try:
                        self._keep_house(burst)
                        claims = self._claim(self._limit(max_jobs, done))
                        if claims:
                            done += self._run(claims)
                            idle_since = time.monotonic()
                        elif burst or (max_idle_time is not None and time.monotonic() - idle_since >= max_idle_time):
                            break
                        else:
                            self._say(WorkerStatus.IDLE)
                            self.connection.blpop([keys.BELL], 1)
                            self._wait = SHORTEST_WAIT
                        self._redis_away = False
                    except StopRequested:
                        break
                    except redis.RedisError as error:
                        self._back_off_redis(error)
                    except Exception:
                        logger.exception("Worker %s: a batch could not be run; it is back in its queue", self.name)
                        self._back_off()
                    if max_jobs is not None and done >= max_jobs:
                        break
                self._give_back_pending()
            logger.info("Worker %s: ends after %d jobs", self.name, done)
        finally:
            self._leave()
        return done > 0

    def _begin(self, *logging_options: Any) -> None:
        """Register and listen for commands; an outage in the middle of it is waited for."""
        while not self._stop_requested:
            try:
                self.unsubscribe()
                self.bootstrap(*logging_options)
            except redis.RedisError as error:
                self._back_off_redis(error)
            else:
                return

    def _limit(self, max_jobs: int | None, done: int) -> int:
        return self._pace.limit if max_jobs is None else min(self._pace.limit, max_jobs - done)

    def _claim(self, limit: int) -> list[Claim]:
        """Join claims until `limit` jobs, while each comes back full."""
        claims: list[Claim] = []
        room = limit
        while room > 0:
            self._pending = self._pending or (new_id(), min(room, CHUNK))
            claim_id, size = self._pending
            try:
                claim = self._transitions.claim(
                    self.name, self.queue_names(), claim_id=claim_id, limit=size, lease=settings.LEASE_SECONDS
                )
            except redis.RedisError:
                if claims:
                    break  # what is in hand first; the same claim id is asked again after it
                raise
            self._pending = None
            if claim is None:
                break
            self._leases.hold(claim)
            claims.append(claim)
            room -= len(claim.jobs)
            if len(claim.jobs) < size:
                break
        return claims

    def _run(self, claims: list[Claim]) -> int:
        """Run a batch; return the number of its jobs. An outage of the database is waited for."""
        self._say(WorkerStatus.BUSY)
        count = sum(len(claim.jobs) for claim in claims)
        settlement = Settlement(self._transitions, self._leases, self.name, give_up=lambda: self._alarm.halted)
        batch = Batch(
            claims,
            leases=self._leases,
            alarm=self._alarm,
            settlement=settlement,
            run_foreign=lambda claim, job: self._run_foreign(claim, job, settlement),
        )
        started = time.monotonic()
        try:
            batch.run()
        except database.DatabaseAway as error:
            self._wait_for_database(error)
        except Halt:
            logger.warning("Worker %s: the grace time is over; what was not finished is back in its queue", self.name)
        else:
            self._pace.ran(count, time.monotonic() - started)
            self._wait = SHORTEST_WAIT
        return count

    def _run_foreign(self, claim: Claim, job: ClaimedJob, settlement: Settlement) -> None:
        run_foreign(self, claim, job, self._leases, settlement)

    def _wait_for_database(self, error: Exception) -> None:
        """Return when the database takes writes again or the worker is to stop; the jobs wait in their queue."""
        self._waits_for = "database"
        while not self._stop_requested:
            logger.error("The database is away (%s); again in %.1f s", error, self._wait)
            self._back_off()
            if database.answers():
                break
        self._waits_for = ""

    def _give_back_pending(self) -> None:
        """A claim that had no answer may have taken jobs: ask once more, and release what it holds."""
        if self._pending is None:
            return
        try:
            for claim in self._claim(self._pending[1]):
                ids = [job.id for job in claim.jobs]
                self._transitions.release(claim.queue, claim.id, ids)
                self._leases.drop(claim, ids)
        except redis.RedisError as error:
            logger.error("Redis does not answer (%s); what the last claim holds is recovered by maintenance", error)

    def _back_off_redis(self, error: redis.RedisError) -> None:
        self._redis_away = True
        logger.error("Redis does not answer (%s); again in %.1f s", error, self._wait)
        self._back_off()

    def _back_off(self) -> None:
        self._pause(self._wait)
        self._wait = min(self._wait * 2, LONGEST_WAIT)

    def _pause(self, seconds: float) -> None:
        """Sleep, and notice a signal within a tenth of a second."""
        until = time.monotonic() + seconds
        while not self._stop_requested and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    # --- signals: they set flags only ---------------------------------------------------------

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """The first signal ends the loop after this batch, a second one at once."""
        if self._shutdown_requested_date is None:
            self._stop_requested = True
            self._shutdown_requested_date = now()
            self._alarm.halt_in(GRACE)
        elif (now() - self._shutdown_requested_date).total_seconds() > 1:  # a pool and a terminal both send one
            self._alarm.halt_in(0)

    request_force_stop = request_stop

    # --- what others see of this worker -------------------------------------------------------

    def _say(self, state: WorkerStatus) -> None:
        if self.get_state() != state:
            with suppress(redis.RedisError):  # the next beat says it; what was claimed must be run
                self.set_state(state)
            self.procline(f"{state.value} on {','.join(self.queue_names())}")  # type: ignore[no-untyped-call]

    def register_birth(self) -> None:
        if self.birth_date is not None:
            self.connection.delete(self.key)  # of a first try that an outage cut short; RQ would take it for another's
        super().register_birth()  # type: ignore[no-untyped-call]
        self._register_queues(self.connection)

    def _register_queues(self, connection: redis.Redis) -> None:
        """`rq info` and django-rq list a queue from now on, and not only from its first job on."""
        connection.sadd(keys.QUEUES, *(queue.key for queue in self.queues))

    def _beat(self, connection: redis.Redis, held: int) -> None:
        """Rewrite the whole hash: it may have expired, or Redis may have come back empty."""
        self.last_heartbeat = now()
        pipeline = connection.pipeline(transaction=False)
        pipeline.hset(
            self.key,
            mapping={**self.serialize(), "state": self.get_state(), "held": held, "waits_for": self._waits_for},
        )
        pipeline.expire(self.key, self.worker_ttl + 60)
        worker_registration.register(self, pipeline)
        self._register_queues(pipeline)
        pipeline.execute()

    def _keep_house(self, burst: bool) -> None:
        if time.monotonic() - self._suspension_seen >= SUSPENSION:
            if is_suspended(self.connection):
                self.check_for_suspension(burst)
            self._suspension_seen = time.monotonic()
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()  # type: ignore[no-untyped-call]

    def _leave(self) -> None:
        try:
            if not self._redis_away:  # else nobody can be told, and the entry expires by itself
                self.teardown()  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            logger.error("Redis does not answer (%s); this worker's entry expires by itself", error)
        connections.close_all()

    # --- RQ's own habits that would harm us ---------------------------------------------------

    @property
    def connection_timeout(self) -> int:
        """RQ would set 415 s, so that a black-holed Redis held the worker for seven minutes."""
        return int(settings.REDIS_SOCKET_TIMEOUT)

    def _start_scheduler(self, *args: Any, **kwargs: Any) -> None:
        """Maintenance promotes; a pool always asks for a scheduler."""

    def clean_registries(self) -> None:
        """Forget workers whose hash expired. RQ's clean-up of job registries would move our jobs."""
        for queue in self.queues:
            worker_registration.clean_worker_registry(queue)
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def clean_group_registries(self) -> None:
        """Groups are the stock workers' own."""

    def get_current_job_id(self) -> str | None:
        """None: there is no work horse that `stop-job` could kill, and RQ would kill our process group."""
        return None

    def get_current_job(self) -> Job | None:
        return None

    def request_stop_execution(self, execution_id: str) -> None:
        logger.warning("Worker %s: a job that runs inside the worker cannot be stopped", self.name)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """There is none."""

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """The thread that listens for commands outlives every outage; RQ's ends at a timeout."""
        logger.debug("Worker %s: no commands at the moment: %s", self.name, exc)
        time.sleep(2)

    def unsubscribe(self) -> None:
        """RQ stops its thread after the message that wakes it, and so waits a second in vain."""
        if self.pubsub_thread and self.pubsub:
            self.pubsub_thread.stop()
            self.pubsub.unsubscribe()
            self.pubsub_thread.join(timeout=1)
            self.pubsub.close()

    def set_shutdown_requested_date(self) -> None:
        self.connection.hset(self.key, "shutdown_requested_date", utcformat(self._shutdown_requested_date or now()))


def _bound_transactions(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """On PostgreSQL a stopped worker must not hold its rows for longer than its lease."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = %s", [settings.LEASE_SECONDS * 1000])
