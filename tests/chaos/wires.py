"""Where a message ends and what it is called, in the two protocols that the product speaks to its stores."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from ingest.queue import scripts


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a client."""

    #: What it asks for, the same in every run: `script claim`, `HSET rq:worker`, `COMMIT`.
    name: str
    data: bytes
    #: Whether the server answers it.
    answered: bool = True


class Wire(Protocol):
    """Cuts the bytes of one connection into messages and answers; it keeps what is unfinished."""

    def sent(self, data: bytes) -> list[Message]:
        """The client's messages that are complete now."""

    def answers(self, data: bytes) -> list[tuple[bytes, bool]]:
        """The server's bytes, in parts: each with whether it ends the answer to a message."""


# --- Redis ---------------------------------------------------------------------------------------


def end_of(data: bytes, at: int = 0) -> int | None:
    """Where the RESP value that begins at `at` ends; None while a part of it is missing."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, here = data[at : at + 1], line + 2
    if kind in b"$=!":  # a text of a known length
        length = int(data[at + 1 : line])
        end = here if length < 0 else here + length + 2
        return end if end <= len(data) else None
    if kind in b"*~>%|":  # so many values; of a map, pairs
        number = int(data[at + 1 : line]) * (2 if kind in b"%|" else 1)
        for _ in range(number):
            after = end_of(data, here)
            if after is None:
                return None
            here = after
    return here


class Resp:
    """Redis: commands, and their replies in RESP2 or 3."""

    def __init__(self) -> None:
        self._sent = self._answered = b""

    def sent(self, data: bytes) -> list[Message]:
        self._sent += data
        found = []
        while self._sent and (end := end_of(self._sent)) is not None:
            command, self._sent = self._sent[:end], self._sent[end:]
            found.append(Message(_command_name(command), command))
        return found

    def answers(self, data: bytes) -> list[tuple[bytes, bool]]:
        self._answered += data
        found = []
        while self._answered and (end := end_of(self._answered)) is not None:
            reply, self._answered = self._answered[:end], self._answered[end:]
            found.append((reply, not reply.startswith(b">") or b"subscribe\r\n" in reply[:40]))  # else it is pushed
        return found


def _command_name(command: bytes) -> str:
    words = [word.decode(errors="replace") for word in _words(command)]
    verb = words[0].upper()
    if verb == "EVALSHA":
        return f"script {_names().get(words[1], words[1][:6])}"
    if len(words) == 1 or verb in {"HELLO", "CLIENT", "SCRIPT", "AUTH", "SELECT"}:
        return " ".join([verb, *(word.upper() for word in words[1:2])])
    # Without the ids that keys end in.
    parts = words[1].split(":")
    return f"{verb} {':'.join(parts[: 3 if parts[1:2] == ['qa'] else 2])}"


def _words(command: bytes) -> list[bytes]:
    """The command's first words: no more of it tells what it is."""
    number = int(command[1 : command.index(b"\r\n")])
    words, at = [], command.index(b"\r\n") + 2
    for _ in range(min(number, 3)):
        line = command.index(b"\r\n", at)
        length = int(command[at + 1 : line])
        words.append(command[line + 2 : line + 2 + length])
        at = line + 2 + length + 2
    return words


@cache
def sources() -> dict[str, str]:
    """The product's scripts by their names."""
    names = [path.stem for path in scripts.FOLDER.glob("*.lua") if path.stem != "prelude"]
    return {name: scripts.source(name) for name in names}


@cache
def _names() -> dict[str, str]:
    """Their names by their digests."""
    return {hashlib.sha1(text.encode()).hexdigest(): name for name, text in sources().items()}  # noqa: S324 - Redis' own


# --- PostgreSQL ----------------------------------------------------------------------------------


class Frontend:
    """PostgreSQL: the frontend's messages; an answer ends with ReadyForQuery."""

    def __init__(self) -> None:
        self._sent = self._answered = b""
        self._started = False

    def sent(self, data: bytes) -> list[Message]:
        self._sent += data
        found = []
        # The first message has no letter.
        while len(self._sent) >= (head := 5 if self._started else 4):
            length = int.from_bytes(self._sent[head - 4 : head], "big") + head - 4
            if len(self._sent) < length:
                break
            message, self._sent = self._sent[:length], self._sent[length:]
            if self._started:
                letter = chr(message[0])
                found.append(Message(_message_name(letter, message[5:]), message, answered=letter in "QS"))
            else:
                self._started = True
                found.append(Message("Startup", message))
        return found

    def answers(self, data: bytes) -> list[tuple[bytes, bool]]:
        self._answered += data
        found = []
        while len(self._answered) >= 5:
            length = int.from_bytes(self._answered[1:5], "big") + 1
            if len(self._answered) < length:
                break
            message, self._answered = self._answered[:length], self._answered[length:]
            found.append((message, message[:1] == b"Z"))
        return found


_LETTERS: Final = {"P": "Parse", "B": "Bind", "D": "Describe", "E": "Execute", "S": "Sync", "X": "Terminate", "Q": ""}


def _message_name(letter: str, body: bytes) -> str:
    name = _LETTERS.get(letter, letter)
    if letter not in "QP":
        return name
    # Parse has the statement's name in front.
    text = (body if letter == "Q" else body[body.index(b"\0") + 1 :]).partition(b"\0")[0].decode(errors="replace")
    words = re.sub(r"[\"']", "", text).split()
    return " ".join([*([name] if name else []), *words[: 3 if words[:1] == ["INSERT"] else 2]])
