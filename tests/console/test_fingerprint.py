"""Failures of one cause have one group, those of two have two: messages as libraries really word them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueadmin.console.fingerprint import group_of, normalised

#: Each line: one cause, as three jobs tell it.
SAME = [
    (
        "Error 111 connecting to localhost:6379. Connection refused.",
        "Error 111 connecting to redis-7.internal:6380. Connection refused.",
        "Error 113 connecting to 10.2.3.4:6379. Connection refused.",
    ),
    (
        'connection to server at "10.0.0.1", port 5432 failed: FATAL:  password authentication failed for user "ada"',
        'connection to server at "db-2.lan", port 6432 failed: FATAL:  password authentication failed for user "o"',
        "connection to server at \"::1\", port 5432 failed: FATAL: password authentication failed for user \"x y\"",
    ),
    (
        "HTTPSConnectionPool(host='api.example.com', port=443): Max retries exceeded with url: /v1/users/17 (Caused by"
        " NewConnectionError('<urllib3.connection.HTTPSConnection object at 0x7f3e2c1b9d50>: Failed to resolve'))",
        "HTTPSConnectionPool(host='eu.example.org', port=84): Max retries exceeded with url: /v1/users/18/x (Caused by"
        " NewConnectionError('<urllib3.connection.HTTPSConnection object at 0x7f3e2c1b9e10>: Failed to resolve'))",
    ),
    (
        'duplicate key value violates unique constraint "users_email" DETAIL:  Key (email)=(a@b.eu) already exists.',
        'duplicate key value violates unique constraint "users_email" DETAIL:  Key (email)=(Bob Smith) already exists.',
    ),
    (
        "Process 4711 waits for ShareLock on transaction 815; blocked by process 4712.",
        "Process 31 waits for ShareLock on transaction 99123; blocked by process 7.",
    ),
    (
        "UNIQUE constraint failed: users.email (user 17)",
        "UNIQUE constraint failed: users.email (user 918)",
    ),
    (
        "[Errno 2] No such file or directory: '/var/spool/in/a17.csv'",
        "[Errno 2] No such file or directory: '/var/spool/in/b\\'s.csv'",
    ),
    ("cannot read /var/log/x.log", "cannot read /data-2", "cannot read ./in/z.csv", "cannot read data/in/q.csv"),
    (r"access denied to C:\Users\ada\in.txt", r"access denied to D:\spool\17\x"),
    (
        "could not convert string to float: 'abc'",
        "could not convert string to float: '1,5'",
        "could not convert string to float: ''",
    ),
    ("'device_id'", "'lat'", '"it\'s"'),
    ("don't know user 'ada'", "don't know user 'it's me'"),
    (
        "job 550e8400-e29b-41d4-a716-446655440000 not found",
        "job 6ba7b810-9dad-11d1-80b4-00c04fd430c8 not found",
        "job 01ARZ3NDEKTSV4RRFFQ69G5FAV not found",
        "job 4bf92f3577b34da6a3ce929d0e0e4736 not found",
    ),
    ("No such customer: cus_NffrFeUfNV2Hib", "No such customer: cus_9s6XKzkNRiz8i3"),
    ("pod worker-7f9c4d5b8-x2x4k was evicted", "pod worker-68d5f7c9b4-9qqlm was evicted"),
    ("mail to ada@example.com bounced", "mail to o.b+x@mail.example.co.uk bounced"),
    ("GET https://a.example.com/v1/x?y=1 failed", "GET http://10.0.0.1:8000/ failed"),
    ("token expired at 2026-11-22T10:00:00Z", "token expired at 2026-11-22 10:00:01", "token expired at 2026-01-02"),
    ("no slot on Tue Nov 22 10:00:00 2026", "no slot on Wed Dec  3 23:59:59 2025"),
    ("read timed out after 5.03s", "read timed out after 30s", "read timed out after 1e-3s"),
    ("expected one of [1, 2, 3]", "expected one of [7]", "expected one of [1, 2, 3, 4, 5, 6, 7, 8]"),
    ("bad item {'a': 1, 'b': 2}", "bad item {'c': 3}"),
    ("peer 2001:db8::1 went away", "peer fe80::1%eth0 went away", "peer [::1]:79 went away", "peer 10.0.0.1 went away"),
    ("\x1b[31mcannot\x1b[0m  parse\n line 7", "cannot parse line 12"),
    ("value “17 €” is out of range", "value “x” is out of range"),
]  # fmt: skip

#: Each line: causes that must not be mixed up.
DIFFERENT = [
    ("Connection refused", "Connection reset by peer"),
    ("HTTP 404 from upstream", "HTTP 503 from upstream"),
    ("status code 401", "status code 500"),
    ("status=429, slow down", "status=500, slow down"),
    ("404 Client Error: Not Found for url: https://a.example/x", "503 Server Error: Service Unavailable for url: https://a.example/x"),
    ("No module named django.db", "No module named django.http"),
    ("list index out of range", "string index out of range"),
    ("read/write failed", "read failed"),
    ("'NoneType' object has no attribute 'id'", "'NoneType' object is not iterable"),
    ("no such device", ""),
]  # fmt: skip


@pytest.mark.parametrize("messages", SAME, ids=lambda messages: messages[0][:40])
def test_one_cause_is_one_group(messages: tuple[str, ...]) -> None:
    assert {normalised(message) for message in messages} == {normalised(messages[0])}
    assert len({group_of("ValueError", message) for message in messages}) == 1


@pytest.mark.parametrize("messages", DIFFERENT, ids=lambda messages: messages[0][:40])
def test_two_causes_are_two_groups(messages: tuple[str, ...]) -> None:
    assert len({group_of("ValueError", message) for message in messages}) == len(messages)


def test_all_these_causes_are_told_apart() -> None:
    assert len({normalised(messages[0]) for messages in SAME}) == len(SAME)


def test_the_type_counts_without_its_module() -> None:
    """A stock worker writes the whole name, ours the last part."""
    assert group_of("django.db.utils.IntegrityError", "x") == group_of("IntegrityError", "x")
    assert group_of("IntegrityError", "x") != group_of("OperationalError", "x")


def test_an_id_is_short_and_stays_what_it_is() -> None:
    """It stands in addresses, notes and tickets; whoever changes the folding must see that all of them change."""
    assert group_of("ValueError", "no such device") == "7b7e6c77eb8c"


def test_what_is_kept_is_readable() -> None:
    message = "Error 111 connecting to db-1.internal:5432 for ada@example.com: 'x' at /a/b after 5 s"
    assert normalised(message) == ("Error <number> connecting to <host> for <email>: <text> at <path> after <number> s")


def test_a_long_message_counts_by_its_start() -> None:
    start = "bad row: " + "word " * 100
    assert group_of("E", start + "a") == group_of("E", start + "b" * 10_000)
    assert len(normalised(start)) <= 300


@given(st.text(max_size=1500))
def test_any_text_has_a_group(message: str) -> None:
    assert len(group_of("E", message)) == 12


@pytest.mark.parametrize(
    "piece", ["a", "a.", "/", ":", "a:", "'", "-", "a1", "A1_", "(", "@a", "a@", "\\", "ab://", "0:", "1.", '"\\']
)
def test_no_message_makes_it_slow(piece: str) -> None:
    """Messages hold what senders wrote; each of these takes minutes by a pattern that backtracks."""
    begun = time.process_time()
    normalised(piece * 1000)
    assert time.process_time() - begun < 5
