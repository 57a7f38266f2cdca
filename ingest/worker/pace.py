"""How many jobs a worker takes at a time."""

#: Seconds of work in one batch: a batch of low must not hold critical back for longer.
BATCH_SECONDS = 1.0
#: Weight of the newest batch in the average.
WEIGHT = 0.3


class Pace:
    """About a second of work by the measured time per job, and never more than `most` jobs."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seconds_per_job = 0.0

    @property
    def limit(self) -> int:
        if self._seconds_per_job * self._most <= BATCH_SECONDS:
            return self._most
        return max(1, int(BATCH_SECONDS / self._seconds_per_job))

    def ran(self, jobs: int, seconds: float) -> None:
        """Learn from one batch."""
        self._seconds_per_job += WEIGHT * (seconds / jobs - self._seconds_per_job)
