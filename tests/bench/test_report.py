"""Rows: what a ratio and a goal mean, and how figures stand in the table."""

from bench.report import Goal, Peer, Row, medians, number, table

FASTER = Row("g", "drained", "jobs/s", "more", 900.0, (Peer("RQ", 300.0),), (Goal(500), Goal(4, "RQ")))
SOONER = Row("g", "waits", "ms", "less", 5.0, (Peer("RQ", 20.0),), (Goal(4),))
ALONE = Row("g", "sent", "MB/s", "more", 7.0, (Peer("BullMQ", None, "node was not found"),), (Goal(2, "BullMQ"),))


def test_a_ratio_says_how_many_times_better_whatever_better_means() -> None:
    assert FASTER.ratio(FASTER.peers[0]) == 3
    assert SOONER.ratio(SOONER.peers[0]) == 4
    assert ALONE.ratio(ALONE.peers[0]) is None


def test_a_goal_is_a_figure_or_so_many_times_a_peer() -> None:
    assert [FASTER.met(goal) for goal in FASTER.goals] == [True, False]
    assert [SOONER.met(goal) for goal in SOONER.goals] == [False]
    assert [ALONE.met(goal) for goal in ALONE.goals] == [None]


def test_the_table_shows_what_missed_and_why_a_peer_has_no_figure() -> None:
    shown = table([FASTER, ALONE])
    assert "≥ 500 met, ≥ 4.00 x RQ MISSED" in shown
    assert "node was not found" in shown
    assert "3.00 x" in shown


def test_rounds_are_told_by_their_medians() -> None:
    copies = [
        Row("g", "drained", "jobs/s", "more", ours, (Peer("RQ", theirs),))
        for ours, theirs in ((9.0, None), (1.0, 4.0), (5.0, 2.0))
    ]
    (row,) = medians([[copy] for copy in copies])
    assert (row.ours, row.peers[0].value) == (5.0, 3.0)


def test_three_digits_count() -> None:
    assert [number(figure) for figure in (12_345.6, 45.67, 4.567, 0.4567, 0.01234, 0)] == [
        "12,346", "45.7", "4.57", "0.457", "0.012", "0",
    ]  # fmt: skip
