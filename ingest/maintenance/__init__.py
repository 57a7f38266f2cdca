"""The leader's rounds: what dead workers held is taken back, what is due is brought to its queue, schedules fire.

One role a file. `process` runs them; `round` has the steps in Redis, in their order; what needs the database
(`schedules`, `mirror`, `draining`) runs beside, in a thread of its own.
"""

from ingest.maintenance.process import Maintenance
from ingest.maintenance.recovery import queues, recover, stalled

__all__ = ["Maintenance", "queues", "recover", "stalled"]
