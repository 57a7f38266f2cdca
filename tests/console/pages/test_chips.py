"""A filter's terms one by one."""

from queueadmin.console.filters import parse
from queueadmin.console.pages import chips


def test_each_term_has_the_filter_that_is_left_without_it() -> None:
    chosen = parse('state:failed "no such device" -source:zabbix,"a b"')
    found = [(chip.text, str(chip.rest)) for chip in chips.chips(chosen)]
    assert found == [
        ("state:failed", '"no such device" -source:zabbix,"a b"'),
        ('"no such device"', 'state:failed -source:zabbix,"a b"'),
        ('-source:zabbix,"a b"', 'state:failed "no such device"'),
    ]


def test_a_tab_takes_the_place_of_what_the_filter_says_of_states() -> None:
    chosen = parse("state:failed,trash kind:alert -state:queued")
    assert str(chips.with_states(chosen, ("queued",))) == "state:queued kind:alert"
    assert str(chips.with_states(chosen, ())) == "kind:alert"


def test_the_states_that_a_filter_names() -> None:
    assert chips.states_of(parse("kind:alert")) == ()
    assert chips.states_of(parse("state:failed,trash")) == ("failed", "trash")
    assert chips.states_of(parse("-state:failed")) is None
    assert chips.states_of(parse("state:failed state:trash")) is None


def test_whether_it_says_more_than_these() -> None:
    assert chips.only_of(parse("state:failed queue:high"), "state", "queue")
    assert chips.only_of(parse(""), "state")
    assert not chips.only_of(parse("state:failed text"), "state", "queue")
