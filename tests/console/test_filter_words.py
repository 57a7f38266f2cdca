"""What plain words of a filter are looked for in, and how."""

from queueadmin.console.filters.words import LONGEST, asked, searched

SHOWN = {
    **{"id": "01ab", "event_id": None, "kind": "alert", "source": "zabbix", "tenant": None, "title": "Disk 91 % full"},
    "error": {"type": "app.ConnectTimeout", "message": "host db-1.example.com: Straße"},
    "payload": {"labels": {"hostName": ["WEB_7", None, 1.5, True]}},
}


def test_texts_names_and_values_become_plain_words_in_their_order() -> None:
    assert searched(SHOWN) == (
        "01ab alert zabbix disk 91 full app connecttimeout host db 1 example com strasse labels hostname web 7 1 5 true"
        " connect timeout host name"
    )


def test_a_search_is_split_alike() -> None:
    assert asked("db-1.example.com: STRASSE") == ["db", "1", "example", "com", "strasse"]
    assert asked("---") == []


def test_long_events_are_searched_up_to_a_bound() -> None:
    long = {**SHOWN, "payload": ["x" * 1_000_000, *["word"] * 100_000]}
    assert len(searched(long)) <= LONGEST
    assert max(map(len, searched(long).split())) == 100
