"""RQ's SimpleWorker on our queue, with our job function and our rows."""

from rq import SimpleWorker
from rq.serializers import JSONSerializer

from ingest.queue.connections import connection

if __name__ == "__main__":
    SimpleWorker(["medium"], connection=connection(), serializer=JSONSerializer).work(logging_level="WARNING")
