"""Events that leave the spool for Redis in a second, as after an outage of Redis."""

from collections.abc import Iterator

from bench.contestants import Ours
from bench.ground import DATABASES, Ground, Unmeasured
from bench.report import Goal, Row

#: Events laid into the spool, for each second asked for; all of them are drained.
A_SECOND = 4_000


def rows(ground: Ground) -> Iterator[Row]:
    for database in DATABASES:
        where = Ours.stored_in[database].removeprefix("stored in ")
        name = f"the spool in {where} into Redis"
        ground.empty()
        count = ground.size(A_SECOND * ground.seconds)
        try:
            environment = ground.environment(database)
            used = ground.valkey.processor_seconds()
            said = ground.run("-m", "bench.ours.spool", str(count), environment=environment)
        except Unmeasured as error:
            yield Row("spool", name, "events/s", "more", None, note=str(error))
            continue
        used = ground.valkey.processor_seconds() - used
        note = (
            "an event costs, in µs of a core (maintenance + Valkey):"
            f" {said['processor'] / count * 1e6:,.0f} + {used / count * 1e6:,.0f}"
        )
        yield Row("spool", name, "events/s", "more", count / said["seconds"], goals=(Goal(2_000),), note=note)
