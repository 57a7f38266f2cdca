"""REDIS=false: the web process runs what it takes in, from the spool.

One process does so at a time, by a lease in the database. Batch handlers run as in a worker, many events in one
transaction; effect handlers run in this process, async ones some at a time. What only Redis gives is not here: results,
progress and logs of jobs, rate limits, pauses, work horses, and the end of a sync handler that outlives its timeout.
"""

from ingest.standalone.process import start

__all__ = ["start"]
