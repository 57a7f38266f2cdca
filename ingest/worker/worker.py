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
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any, ClassVar, Final

import redis
from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import worker_registration
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended
from rq.utils import now
from rq.worker import WorkerStatus

from ingest import database
from ingest.kinds import each_kind
from ingest.queue import keys
from ingest.queue.connections import RedisUnavailable, wait_for_redis
from ingest.queue.transitions import Claim, ClaimedJob, Transitions
from ingest.worker.alarm import Alarm, Halt
from ingest.worker.batch import Batch
from ingest.worker.claiming import Claiming
from ingest.worker.entries import Entry
from ingest.worker.foreign import run_foreign
from ingest.worker.horse import Horse, HorseDied, HorseFailed, LeaseLost, ride
from ingest.worker.leases import Leases
from ingest.worker.orders import Orders
from ingest.worker.pace import Pace
from ingest.worker.presence import Presence
from ingest.worker.reports import Reports
from ingest.worker.settle import Settlement
from ingest.worker.slots import Slots
from ingest.worker.stable import Stable, StableLost
from ingest.worker.stock import StockWorker
from ingest.worker.waits import Waits

logger = logging.getLogger("rq.worker")

#: Seconds that what runs may go on after SIGTERM. Everything stops within 10 s of Ctrl-C.
GRACE: Final = 5.0
#: Seconds between two looks at RQ's `suspended` flag.
SUSPENSION: Final = 1.0
#: Seconds between two looks of a drained worker at whether it may go on.
REST: Final = 0.2
#: Seconds until the next claim while every slot for async jobs is in use, unless one gets free before.
SLOT_WAIT: Final = 0.1


class BatchWorker(StockWorker):
    """`manage.py rqworker critical high medium low`.

    Serves its queues in strict priority order, as many jobs at a time as about a second of work; async handlers
    run beside that. Goes on through outages of Redis and of the database. SIGTERM: no new claim, what runs has
    GRACE seconds, the rest goes back to the front of its queue.
    """

    #: The task types that this process serves, and nothing else; empty: all that have no workers of their own.
    task_types: ClassVar[tuple[str, ...]] = ()

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
        self.orders = Orders(self.name, self._end_after_this)
        self._presence = Presence(burst=False)
        self._alarm = Alarm()
        self._pace = Pace(settings.CLAIM_LIMIT)
        self._suspension_seen = 0.0
        self._worked = 0.0  # seconds in which anything ran, until _busy_since
        self._busy_since: float | None = None
        self._bells = [keys.lane_bell(each) for each in self.task_types] or [keys.BELL]
        self._waits_for = ""
        self._waits = Waits(lambda: self._stop_requested)
        self._redis_away = False
        self._stable: Stable | None = None

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
        self._presence = Presence(burst=burst)
        signal.signal(signal.SIGINT, self.request_stop)
        signal.signal(signal.SIGTERM, self.request_stop)
        connection_created.connect(database.bound_transactions, dispatch_uid="ingest.worker")
        connections.close_all()  # a pool forks its workers
        if any(kind.mode == "process" for kind in each_kind()):
            self.connection.connection_pool.disconnect()  # else its sockets stay open as long as the stable
            self._stable = Stable(ride)
        self._transitions = Transitions(self.connection)
        self._leases = Leases(self.connection, settings.LEASE_SECONDS, self._tick)
        self._reports = Reports(self.connection)
        self._slots = Slots(
            leases=self._leases,
            alarm=self._alarm,
            reports=self._reports,
            settlement=self._settlement,
            give_up=self._give_up,
        )
        self._claiming = Claiming(
            self._transitions,
            worker=self.name,
            queues=self.queue_names,
            types=self.task_types,
            leases=self._leases,
            slots=self._slots,
            pace=self._pace,
        )
        done = 0
        try:
            self._begin(logging_level, date_format, log_format)
            with self._leases, self._reports:
                try:
                    done = self._loop(burst, max_jobs, max_idle_time)
                finally:
                    self._slots.stop()
                    self._claiming.give_up()
            logger.info("Worker %s: ends after %d jobs", self.name, done)
        finally:
            self._leave()
        return done > 0

    def _loop(self, burst: bool, max_jobs: int | None, max_idle_time: int | None) -> int:
        """Claim and run until it is enough; return the number of jobs that ran, or run now in their slots."""
        done, idle_since = 0, time.monotonic()
        while not self._stop_requested and (max_jobs is None or done < max_jobs):
            try:
                self._keep_house(burst)
                if self.orders.drained:
                    self._rest()
                    idle_since = time.monotonic()
                    continue
                # Before the claim: what waits may be for the slots, and what runs there may come back to its queue.
                full, busy = not self._slots.free, self._slots.busy
                claims = self._claiming.claim(None if max_jobs is None else max_jobs - done)
                if claims:
                    done += self._run(claims)
                elif full or (burst and busy):
                    self._slots.wait(SLOT_WAIT)
                elif burst:
                    break
                else:
                    self._say(WorkerStatus.BUSY if self._slots.busy else WorkerStatus.IDLE)
                    self.connection.blpop(self._bells, 1)
                    self._waits.over()
                self._redis_away = False
                if claims or self._slots.busy:
                    idle_since = time.monotonic()
            except StopRequested:
                break
            except redis.RedisError as error:
                self._back_off_redis(error)
            except Exception:
                logger.exception("Worker %s: a batch could not be run; it is back in its queue", self.name)
                self._waits.back_off()
            if max_idle_time is not None and time.monotonic() - idle_since > max_idle_time:
                break
        return done

    def _rest(self) -> None:
        """Drained: claim nothing, and notice within REST that it may go on. What runs in the slots goes on."""
        self._claiming.release_pending()
        self._redis_away = False
        self._say(WorkerStatus.BUSY if self._slots.busy else WorkerStatus.SUSPENDED)
        self._waits.pause(REST)

    def _begin(self, *logging_options: Any) -> None:
        """Register and listen for commands; an outage in the middle of it is waited for."""
        while not self._stop_requested:
            try:
                self.unsubscribe()
                self.orders.forget(self.connection)
                self.bootstrap(*logging_options)
            except redis.RedisError as error:
                self._back_off_redis(error)
            else:
                return

    def _settlement(self) -> Settlement:
        return Settlement(self._transitions, self._leases, self._reports, self.name, self._alarm)

    def _run(self, claims: list[Claim]) -> int:
        """Run a batch; return the number of its jobs that ran. An outage of the database is waited for."""
        self._say(WorkerStatus.BUSY)
        settlement = self._settlement()
        batch = Batch(
            claims,
            leases=self._leases,
            alarm=self._alarm,
            pace=self._pace,
            reports=self._reports,
            settlement=settlement,
            slots=self._slots,
            run_foreign=lambda claim, job: self._run_foreign(claim, job, settlement),
            run_in_process=lambda entry: self._run_in_process(entry, settlement),
        )
        try:
            batch.run()
        except database.DatabaseAway as error:
            self._wait_for_database(error)
        except Halt:
            logger.warning("Worker %s: the grace time is over; what was not finished is back in its queue", self.name)
        else:
            self._waits.over()
        return batch.jobs_run

    def _cancel(self, job_id: str) -> None:
        if self._leases.stop(job_id):
            logger.warning("Worker %s: job %s was canceled; it has a few seconds to end", self.name, job_id)

    def _run_foreign(self, claim: Claim, job: ClaimedJob, settlement: Settlement) -> None:
        run_foreign(self, claim, job, self._leases, settlement)

    def _run_in_process(self, entry: Entry, settlement: Settlement) -> None:
        """Run one job in a work horse, which commands may end meanwhile."""
        self._stable = self._stable or Stable(ride)
        self._horse = Horse(entry, self._stable)
        try:
            result = self._horse.run(leases=self._leases, alarm=self._alarm, reports=self._reports)
        except HorseFailed as error:
            self._reports.flush([entry])
            settlement.failed(entry.claim, error.failure)
        except HorseDied as error:
            settlement.lapse(entry, str(error))
        except StableLost as error:
            if error.forked:
                settlement.lapse(entry, "its process died with the one that had forked it")
            self._give_up(f"the process that forks work horses is gone ({error})")
        except LeaseLost:
            logger.warning("job %s is not ours any more; its process was ended", entry.job.id)
        else:
            settlement.effect(entry, result)
        finally:
            self._horse = None

    def _wait_for_database(self, error: Exception) -> None:
        """Return when the database takes writes again or the worker is to stop; the jobs wait in their queue."""
        self._waits_for = "database"
        while not self._stop_requested:
            logger.error("The database is away (%s); again in %.1f s", error, self._waits.next)
            self._waits.back_off()
            if database.answers():
                break
        self._waits_for = ""

    def _back_off_redis(self, error: redis.RedisError) -> None:
        self._redis_away = True
        logger.error("Redis does not answer (%s); again in %.1f s", error, self._waits.next)
        self._waits.back_off()

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

    def _end_after_this(self) -> None:
        """Told to restart: all that is claimed is finished, and there is no grace time that could end it."""
        self._stop_requested = True

    def _give_up(self, sentence: str) -> None:
        """This process can no longer do its work: it ends as at a SIGTERM, and its supervisor starts another."""
        logger.critical("Worker %s ends: %s", self.name, sentence)
        self._stop_requested = True
        self._alarm.halt_in(GRACE)

    # --- what others see of this worker -------------------------------------------------------

    def _say(self, state: WorkerStatus) -> None:
        if self.get_state() != state:
            self._worked, self._busy_since = self._worked_so_far(), None
            if state == WorkerStatus.BUSY:
                self._busy_since = time.monotonic()
            with suppress(redis.RedisError):  # the next beat says it; what was claimed must be run
                self.set_state(state)
            self.procline(f"{state.value} on {','.join(self.queue_names())}")  # type: ignore[no-untyped-call]

    def _worked_so_far(self) -> float:
        """Seconds in which anything ran here."""
        since = self._busy_since
        return self._worked + (time.monotonic() - since if since is not None else 0.0)

    def _tick(self, connection: redis.Redis, held: int) -> None:
        """Called three times a lease, by the thread that renews them."""
        self._slots.check()
        self._beat(connection, held)

    def _beat(self, connection: redis.Redis, held: int) -> None:
        """Rewrite the whole hash: it may have expired, or Redis may have come back empty."""
        self.last_heartbeat = now()
        pipeline = connection.pipeline(transaction=False)
        pipeline.hset(
            self.key,
            mapping={
                **self.serialize(),
                "state": self.get_state(),
                "held": held,
                "waits_for": self._waits_for,
                keys.TYPES: ",".join(self.task_types),
                keys.WORKED: f"{self._worked_so_far():.1f}",
                "order": self.orders.standing,
                **self._presence.fields(),
            },
        )
        pipeline.expire(self.key, self.worker_ttl + 60)
        worker_registration.register(self, pipeline)
        self._register_queues(pipeline)
        self.orders.ask(pipeline)
        self.orders.look(pipeline.execute()[-1])

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
                self.orders.forget(self.connection)
                self.teardown()  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            logger.error("Redis does not answer (%s); this worker's entry expires by itself", error)
        connections.close_all()
        if self._stable is not None:
            self._stable.close()
        if self._slots.stuck:
            # Python waits for its threads at the end, and one of them does not end.
            logging.shutdown()
            sys.stdout.flush()
            os._exit(0 if self._shutdown_requested_date else 1)
