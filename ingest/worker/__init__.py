"""The worker that runs events in batches, under leases."""

from ingest.worker.worker import BatchWorker

__all__ = ["BatchWorker"]
