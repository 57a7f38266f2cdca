from ingest.queue.retry import exponential, jitter


def test_delays_double() -> None:
    """D3: five times from 10 s; E3."""
    assert exponential(10, 5) == (10, 20, 40, 80, 160)


def test_jitter_spreads_by_a_tenth() -> None:
    """B5."""
    factors = [jitter() for _ in range(1000)]
    assert all(0.9 <= factor <= 1.1 for factor in factors)
    assert max(factors) - min(factors) > 0.1
