"""How much goes into one call of a script."""

from ingest.queue import batching
from tests.ingest.queue.conftest import make_job


def test_large_jobs_go_in_small_calls() -> None:
    large, small = b"x" * 3_000_000, b"x"
    jobs = [make_job(data=data) for data in (large, large, small, small, large, large * 2)]
    assert [len(batch) for batch in batching.batches(jobs)] == [1, 3, 1, 1]
    assert list(batching.batches([])) == []
