"""RQ's worker without the habits that would harm us, and RQ's commands for one that mostly runs jobs itself."""

import logging
import signal
import time
from typing import Any, Final

import redis
from django.conf import settings
from rq import Worker, worker_registration
from rq.command import parse_payload
from rq.job import Job
from rq.utils import now, utcformat

from ingest.queue import keys
from ingest.worker.horse import Horse
from ingest.worker.orders import COMMANDS, Orders

logger = logging.getLogger("rq.worker")

#: RQ's commands that end one job.
CANCEL: Final = "cancel-job"
_ENDING: Final = frozenset({"stop-job", "stop-execution", "kill-horse"})


class StockWorker(Worker):
    """What `BatchWorker` takes from RQ, and what it does not."""

    #: The process that runs a job of a kind with isolation="process", while there is one.
    _horse: Horse | None = None
    #: What an operator told this worker.
    orders: Orders

    # --- commands -----------------------------------------------------------------------------

    @property
    def horse_pid(self) -> int:
        """0: none. RQ would kill the process group of pid 0, which is our own."""
        horse = self._horse
        return horse.pid if horse is not None else 0

    def get_current_job_id(self) -> str | None:
        """The job that `stop-job` could end: only one in a process of its own."""
        horse = self._horse
        return horse.entry.job.id if horse is not None else None

    def get_current_job(self) -> Job | None:
        job_id = self.get_current_job_id()
        return self.job_class.fetch(job_id, self.connection, self.serializer) if job_id else None

    def handle_payload(self, message: dict[str, Any]) -> None:
        """`stop-job`, `stop-execution` and `kill-horse` end the job whose process they mean; `shutdown` is RQ's.

        `drain`, `resume` and `restart` are ours.
        """
        command = parse_payload(message)
        if command["command"] == CANCEL:
            self._cancel(str(command.get("job_id")))
            return
        if command["command"] in COMMANDS:
            logger.warning("Worker %s: told to %s", self.name, command["command"])
            self.orders.hear(command["command"])
            self.orders.tell(self.connection)
            return
        if command["command"] not in _ENDING:
            super().handle_payload(message)  # type: ignore[no-untyped-call]
            return
        horse = self._horse
        meant = command.get("job_id")
        if horse is not None and meant in (None, horse.entry.job.id):
            stops = command["command"] != "kill-horse"
            if horse.kill("stopped" if stops else "killed"):
                logger.warning("Worker %s: %s ended job %s", self.name, command["command"], horse.entry.job.id)
                return
        logger.warning(
            'Worker %s: %s ended nothing: only a job of a kind with isolation="process" has a process to kill, and %s',
            self.name,
            command["command"],
            f"none of {meant} runs here" if meant else "none runs here now",
        )

    def _cancel(self, job_id: str) -> None:
        """Somebody canceled a job that runs here; the script that says so has marked it."""

    def request_stop_execution(self, execution_id: str) -> None:
        """Executions are RQ's own way of naming claims; `handle_payload` does what this would."""

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        if self._horse is not None:
            self._horse.kill("killed")

    # --- habits -------------------------------------------------------------------------------

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

    def register_birth(self) -> None:
        if self.birth_date is not None:
            self.connection.delete(self.key)  # of a first try that an outage cut short; RQ would take it for another's
        super().register_birth()  # type: ignore[no-untyped-call]
        self._register_queues(self.connection)

    def _register_queues(self, connection: redis.Redis) -> None:
        """`rq info` and django-rq list a queue from now on, and not only from its first job on."""
        connection.sadd(keys.QUEUES, *(queue.key for queue in self.queues))

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
