"""The spool: accepted events that the database holds, while Redis cannot, or with REDIS=false until their end.

One role a file: `rows` (a job as a row, and back), `writing` (the one thread that writes for acceptance, and never
long), `behind` (which events must follow what is spooled), `draining` (into Redis), `turns` (with REDIS=false: whose
turn it is, and what became of it), `lease` (who runs them then) and `reading`.
"""

from ingest.spool.behind import behind, behind_async, forget
from ingest.spool.draining import Drained, drain
from ingest.spool.writing import Away, store, store_async

__all__ = ["Away", "Drained", "behind", "behind_async", "drain", "forget", "store", "store_async"]
