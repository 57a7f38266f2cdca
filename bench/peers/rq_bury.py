"""Makes `COUNT` dead letters of RQ, then requeues them one by one, which is the only way it has."""

import json
import sys
import time

from rq import Queue
from rq.job import Job, JobStatus

from bench import corpus
from bench.peers import command, rq_peer


def bury(queue: Queue, count: int) -> None:
    registry = queue.failed_job_registry
    for alert in corpus.alerts(count):
        job = Job.create(rq_peer.nothing, (alert,), connection=command.client, origin=queue.name)
        job._status = JobStatus.FAILED
        job.save()
        registry.add(job, ttl=-1)


if __name__ == "__main__":
    queue = Queue("medium", connection=command.client)
    bury(queue, int(sys.argv[1]))
    registry = queue.failed_job_registry
    begin = time.perf_counter()
    for job_id in registry.get_job_ids():
        registry.requeue(job_id)
    print(json.dumps({"seconds": time.perf_counter() - begin}))
