from queueadmin.console.rates import Flow, Rates, Sample, Window, between, clears_in


def _sample(at: float, arrived: int = 0, left: int = 0, dead: int = 0) -> Sample:
    return Sample(at, {"high": Flow(arrived, left, dead)})


def test_rates_are_the_mean_between_two_samples() -> None:
    rates = between(_sample(100, 10, 5, 1), _sample(110, 110, 55, 3))["high"]
    assert rates == Rates(in_rate=10, out_rate=5, dead_per_minute=12)
    assert rates.net_rate == 5


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
    window.add(_sample(1, arrived=1000, left=900))
    assert window.add(_sample(2, arrived=3, left=2))["high"] == Rates()
    assert window.add(_sample(3, arrived=13, left=7))["high"] == Rates(in_rate=10, out_rate=5)


def test_clears_in_says_seconds_growing_steady_or_nothing() -> None:
    assert clears_in(0, Rates(in_rate=50)) is None
    assert clears_in(100, Rates(in_rate=10, out_rate=20)) == 10
    assert clears_in(100, Rates(in_rate=20, out_rate=10)) == "growing"
    assert clears_in(100, Rates(in_rate=10, out_rate=10.3)) == "steady"
    # A part of a per cent of a strong flow is no trend.
    assert clears_in(100, Rates(in_rate=803, out_rate=800)) == "steady"
