"""Senders: a few threads that post events and send again what was not accepted.

Most events have an id of their own. Those of the other requests have none: the same body is sent again under the same
Idempotency-Key until all of it is accepted.
"""

import json
import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

import requests

from tests.chaos.jobs import QUEUES, name_of
from tests.chaos.ledger import Ledger

SENDERS: Final = 3
#: Events of one sender at most, and in one request; every so many a request is one event and no array.
MOST: Final = 4000
BATCH: Final = 25
ALONE: Final = 4
#: Of 100 requests so many have an Idempotency-Key instead of ids.
KEYED: Final = 20
#: Seconds between two requests of one sender.
PAUSE: Final = 0.05
#: Times that an event is sent after the load was stopped, until its sender gives up.
TRIES: Final = 50
#: Problems that the events of one load are about: enough that two batches meet in one, and are in each other's way.
PROBLEMS: Final = 40
#: Of 1,000 events so many ask to fail in this way.
FAULTS: Final = {"error:1": 30, "permanent": 8, "slow:0.02": 10}
#: Of 1,000 events so many are for effect handlers: async, in the worker, in a process of their own.
EFFECTS: Final = {"chat": 40, "plain": 15, "crunch": 5}


@dataclass(frozen=True, slots=True)
class Request:
    events: list[dict[str, Any]]
    #: Its Idempotency-Key; the events have no ids then.
    key: str = ""


class Load:
    """Runs from `start` to `stop`; `pause` and `go_on` in between."""

    def __init__(
        self, url: str, ledger: Ledger, rng: random.Random, *, rare: dict[str, int], pause: float = PAUSE
    ) -> None:
        """`rare`: faults beside the usual ones, and how many events of this load in all ask for each.

        `pause`: seconds between two requests of one sender.
        """
        self._url = url
        self._pause = pause
        self._ledger = ledger
        self._stopped, self._going = threading.Event(), threading.Event()
        self._going.set()
        self._rare = deque(fault for fault, number in rare.items() for _ in range(number))
        self._threads = [
            threading.Thread(target=self._send, args=(number, random.Random(rng.random())), daemon=True)
            for number in range(SENDERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def pause(self) -> None:
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    def stop(self) -> None:
        """What was not accepted is sent again a few times more."""
        self._stopped.set()
        self._going.set()
        for thread in self._threads:
            thread.join(timeout=120)

    def _send(self, sender: int, rng: random.Random) -> None:
        left: Request | None = None
        number = tries = 0
        with requests.Session() as session:
            while not self._stopped.is_set() or (left and tries < TRIES):
                self._going.wait()
                if left is None and number < MOST:
                    left = self._request(sender, number, rng)
                    number += len(left.events)
                    self._ledger.send(left.events)
                left = self._post(session, left) if left else None
                tries += self._stopped.is_set()
                time.sleep(PAUSE * 4 if left else self._pause)

    def _request(self, sender: int, number: int, rng: random.Random) -> Request:
        count = rng.randint(1, BATCH) if rng.randrange(ALONE) else 1
        key = f"{self._ledger.source}-{sender}-{number}" if rng.randrange(100) < KEYED else ""
        return Request([self._event(sender, number + n, rng, keyed=bool(key)) for n in range(count)], key)

    def _event(self, sender: int, number: int, rng: random.Random, *, keyed: bool) -> dict[str, Any]:
        name = f"{self._ledger.source}-{sender}-{number}"
        event: dict[str, Any] = {
            "n" if keyed else "id": name,
            "source": self._ledger.source,
            "title": f"problem {rng.randrange(PROBLEMS)}",
            "severity": rng.choice(QUEUES),
        }
        if kind := _one_of(EFFECTS, rng):
            event |= {"kind": kind, "n": name}
        fault = self._rare.popleft() if self._rare and number > BATCH else _one_of(FAULTS, rng)
        return event | ({"fault": fault} if fault else {})

    def _post(self, session: requests.Session, request: Request) -> Request | None:
        """Send it once; return what is to be sent again."""
        events = request.events
        headers = {"Prefer": "return=representation"} | ({"Idempotency-Key": request.key} if request.key else {})
        try:
            answer = session.post(
                f"{self._url}/api/v1/events",
                json=events if len(events) > 1 else events[0],
                headers=headers,
                timeout=60,
            )
        except requests.RequestException:
            return request
        # 409: a copy that a crash ended is taken to be running for a while.
        if answer.status_code == 503 or (request.key and answer.status_code == 409):
            return request
        if answer.status_code not in (202, 207):
            self._ledger.complain(f"an answer of {answer.status_code}: {answer.text[:200]}")
            return None
        receipt = answer.json()
        # The items of an array do not say where they are: the whole does.
        spooled = receipt["durability"] == "database"
        again = []
        for item in receipt["items"] if len(events) > 1 else [{**receipt, "index": 0}]:
            event = events[item["index"]]
            name = name_of(event.get("id"), json.dumps(event))
            if "error" not in item:
                self._ledger.accept(name, item["id"], spooled=spooled)
            elif item.get("retryable"):
                again.append(event)
            else:
                self._ledger.complain(f"{name} was refused: {item['error']}")
        if again:
            # The key stands for the whole request.
            return request if request.key else Request(again)
        return None


def _one_of(parts: dict[str, int], rng: random.Random) -> str | None:
    at = rng.randrange(1000)
    for name, number in parts.items():
        if at < number:
            return name
        at -= number
    return None
