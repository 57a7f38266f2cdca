"""Many jobs moved as one watched operation: the set frozen when it was pressed, released step by step by maintenance.

`freezing` writes the set down, `moving` lets members go, `settling` sees how they ended, `rules` says how many and when
to stop, and `engine` does it all a little at a time. Everything that must survive a crash is in the rows.
"""

from queueadmin.console.replays.options import BadOption, Options
from queueadmin.console.replays.reading import failed_again, outcome, page, running, shown
from queueadmin.console.replays.tuning import Tuning

__all__ = ["BadOption", "Options", "Tuning", "failed_again", "outcome", "page", "running", "shown"]
