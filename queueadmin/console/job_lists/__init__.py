"""Jobs by the filter grammar, wherever they are: in Redis, in the spool, and after their end in their events' rows.

For the API and for pages. A page's cost is bounded, whatever the number of jobs; nothing is changed.
"""

from queueadmin.console.job_lists.frozen import MOST, MOST_LOOKED_AT, Counted, count, matching
from queueadmin.console.job_lists.pages import MAX_LIMIT, Page, page, total

__all__ = ["MAX_LIMIT", "MOST", "MOST_LOOKED_AT", "Counted", "Page", "count", "matching", "page", "total"]
