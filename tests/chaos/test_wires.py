"""The proxies know where a message ends, whatever pieces it comes in."""

import pytest

from tests.chaos.wires import Frontend, Resp, end_of

COMMAND = b"*3\r\n$4\r\nHSET\r\n$11\r\nrq:worker:w\r\n$4\r\na\r\nb\r\n"


@pytest.mark.parametrize("cut", range(1, len(COMMAND)))
def test_a_command_in_two_pieces_is_one_message(cut: int) -> None:
    wire = Resp()
    assert wire.sent(COMMAND[:cut]) == []
    (message,) = wire.sent(COMMAND[cut:])
    assert (message.name, message.data) == ("HSET rq:worker", COMMAND)


@pytest.mark.parametrize(
    "reply",
    [
        b"+OK\r\n", b":7\r\n", b"$-1\r\n", b"$3\r\na\r\n\r\n", b"*2\r\n$1\r\na\r\n*0\r\n", b"*-1\r\n", b"_\r\n",
        b"#t\r\n", b"%1\r\n+a\r\n:1\r\n", b"~1\r\n:1\r\n", b"=5\r\ntxt:a\r\n", b",1.5\r\n",
    ],
)  # fmt: skip
def test_every_form_of_reply_ends_where_it_ends(reply: bytes) -> None:
    assert end_of(reply + b"+next\r\n") == len(reply)
    assert all(end_of(reply[:cut]) is None for cut in range(len(reply)))


def test_what_redis_pushes_answers_nothing_but_a_subscription() -> None:
    wire = Resp()
    pushed = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"
    subscribed = b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
    assert wire.answers(pushed + subscribed) == [(pushed, False), (subscribed, True)]


def test_messages_of_postgresql_are_named_by_their_sql() -> None:
    startup = b"\x00\x00\x00\x08\x00\x03\x00\x00"
    query = b'INSERT INTO "ingest_event" (id) VALUES (1)\x00'
    wire = Frontend()
    messages = wire.sent(startup + b"Q" + (len(query) + 4).to_bytes(4, "big") + query + b"X\x00\x00\x00\x04")
    assert [message.name for message in messages] == ["Startup", "INSERT INTO ingest_event", "Terminate"]
    assert [message.answered for message in messages] == [True, True, False]
    assert wire.answers(b"C\x00\x00\x00\x05\x00Z\x00\x00\x00\x05I")[-1] == (b"Z\x00\x00\x00\x05I", True)
