from queueadmin.console.figures.rates import Flow, Rates, Sample, Window, between, clears_in, sample
from queueadmin.console.figures.snapshot import QueueState


def _sample(at: float, arrived: int = 0, ended: int = 0, dead: int = 0, taken: int = 0) -> Sample:
    return Sample(at, {"high": Flow(arrived, ended, taken, dead)})


def test_rates_are_the_mean_between_two_samples() -> None:
    rates = between(_sample(100, 10, 5, 1), _sample(110, 110, 55, 3))["high"]
    assert rates == Rates(in_rate=10, out_rate=5, net_rate=5, dead_per_minute=12)


def test_what_operators_take_away_shrinks_the_backlog_and_is_no_throughput() -> None:
    rates = between(_sample(100), _sample(110, 100, 50, taken=400))["high"]
    assert (rates.in_rate, rates.out_rate, rates.net_rate) == (10, 5, -35)


def test_every_way_into_and_out_of_a_queue_is_in_its_flow() -> None:
    q = QueueState(
        "high",
        enqueued=1000,
        requeued=200,
        moved_in=30,
        restored=9,
        restored_failed=4,
        completed=100,
        dead=20,
        dropped=3,
        trashed=60,
        trashed_failed=50,
        canceled=7,
        moved_out=2,
    )
    assert sample(1, [q]).flows["high"] == Flow(arrived=1235, ended=123, taken=19, dead=20)


def test_no_time_between_samples_is_no_rate() -> None:
    assert between(_sample(100, 10), _sample(100, 20))["high"] == Rates()


def test_the_window_is_ten_seconds() -> None:
    window = Window()
    # 100 a second for 20 s, then nothing for 10.
    for second in range(21):
        last = window.add(_sample(second, arrived=second * 100))
    assert last["high"].in_rate == 100
    for second in range(21, 31):
        last = window.add(_sample(second, arrived=2000))
    assert last["high"].in_rate == 0


def test_one_sample_alone_has_no_rate() -> None:
    assert Window().add(_sample(5, arrived=1_000_000))["high"] == Rates()


def test_redis_that_came_back_empty_gives_no_negative_rate() -> None:
    window = Window()
    window.add(_sample(1, arrived=1000, ended=900))
    assert window.add(_sample(2, arrived=3, ended=2))["high"] == Rates()
    assert window.add(_sample(3, arrived=13, ended=7))["high"] == Rates(in_rate=10, out_rate=5, net_rate=5)


def test_clears_in_says_seconds_growing_steady_paused_or_nothing() -> None:
    q = QueueState("high", depth=100)
    assert clears_in(QueueState("high"), Rates(in_rate=50, net_rate=50)) is None
    assert clears_in(q, Rates(10, 20, -10)) == 10
    assert clears_in(q, Rates(20, 10, 10)) == "growing"
    assert clears_in(q, Rates(10, 10.3, -0.3)) == "steady"
    # A part of a per cent of a strong flow is no trend.
    assert clears_in(q, Rates(803, 800, 3)) == "steady"
    # Fewer than a second's work wait: what came in is being run, or retried later.
    assert clears_in(QueueState("high", depth=15), Rates(30, 20, 10)) == "steady"
    assert clears_in(QueueState("high", depth=100, paused=True), Rates(20, 10, 10)) == "paused"
