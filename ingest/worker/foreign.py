"""Jobs that stock clients brought: RQ's own way to run them, for functions on the allow-list only."""

import logging

import redis
from rq import Worker
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import Job

from ingest.jobs import allowed_functions
from ingest.queue.payload import Unreadable
from ingest.queue.transitions import Claim, ClaimedJob
from ingest.worker.failures import failure
from ingest.worker.leases import Leases
from ingest.worker.settle import Settlement

logger = logging.getLogger(__name__)


def run_foreign(worker: Worker, claim: Claim, claimed: ClaimedJob, leases: Leases, settlement: Settlement) -> None:
    """Run one job as a stock worker would; callbacks, results and dependents are RQ's.

    A job that names any other function, also as a callback, becomes a dead letter and runs nothing:
    the function's name is data, and RQ imports whatever it says.
    """
    try:
        job = _fetch(worker, claimed.id)
    except Unreadable as error:
        settlement.failed(claim, failure(claimed.id, error))
        return
    except NoSuchJobError:
        settlement.done(claim, claimed.id)  # deleted meanwhile by a stock client: only our lease is left
        return
    queue = worker.queue_class(
        claim.queue, connection=worker.connection, serializer=worker.serializer, job_class=worker.job_class
    )
    # RQ takes the lease back itself: its member in the started registry is `<job id>:<execution id>`.
    execution = Execution(claim.id, job.id, worker.connection, worker_name=worker.name)
    execution._job = job
    worker.executions[claim.id] = execution
    try:
        Worker.perform_job(worker, job, queue, execution)
    except redis.RedisError as error:
        logger.error("Redis was not told how job %s ended (%s); its lease will lapse", job.id, error)
    finally:
        worker.executions.pop(claim.id, None)
        leases.drop(claim, [job.id])


def _fetch(worker: Worker, job_id: str) -> Job:
    """The job, when all that it names is allowed. Raises Unreadable and NoSuchJobError; imports nothing."""
    try:
        job = worker.job_class.fetch(job_id, connection=worker.connection, serializer=worker.serializer)
        instance = job.instance
        named = [job.func_name, job._success_callback_name, job._failure_callback_name, job._stopped_callback_name]
    except (NoSuchJobError, redis.RedisError):
        raise
    except Exception as error:  # RQ lets through whatever a bad date, number or serializer raises
        raise Unreadable(f"the job cannot be read: {error}") from error
    for name in named:
        if name and name not in allowed_functions():
            raise Unreadable(f"the function {name[:200]!r} is not allowed", "not_allowed")
    if instance is not None:
        raise Unreadable(f"a method of {str(instance)[:200]!r} is not allowed", "not_allowed")
    return job
