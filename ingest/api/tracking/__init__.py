"""Points as trackers and people send them: JSON, NDJSON, CSV, Flymaster's file, GPX and IGC.

One role a file: `formats` tells what a body is, `tables` reads lines of values, `tracks` reads GPX and IGC, `files`
takes a file out of a form, `chunks` makes jobs' events of the points.
"""

from ingest.api.tracking.chunks import read_points
from ingest.api.tracking.formats import Body

__all__ = ["Body", "read_points"]
