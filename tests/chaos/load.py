"""Senders: a few threads that post events with ids of their own, and send again what was not accepted."""

import random
import threading
import time
from collections import deque
from typing import Any, Final

import requests

from tests.chaos.ledger import QUEUES, Ledger

SENDERS: Final = 3
#: Events of one sender at most, and in one request.
MOST: Final = 4000
BATCH: Final = 25
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


class Load:
    """Runs from `start` to `stop`; `pause` and `go_on` in between."""

    def __init__(self, url: str, ledger: Ledger, rng: random.Random, *, rare: dict[str, int]) -> None:
        """`rare`: faults beside the usual ones, and how many events of this load in all ask for each."""
        self._url = url
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
        left: list[dict[str, Any]] = []
        number = tries = 0
        with requests.Session() as session:
            while not self._stopped.is_set() or (left and tries < TRIES):
                self._going.wait()
                if not left and number < MOST:
                    left = [self._event(sender, number + n, rng) for n in range(rng.randint(1, BATCH))]
                    number += len(left)
                    self._ledger.send(left)
                left = self._post(session, left) if left else left
                tries += self._stopped.is_set()
                time.sleep(PAUSE * 4 if left else PAUSE)

    def _event(self, sender: int, number: int, rng: random.Random) -> dict[str, Any]:
        event: dict[str, Any] = {
            "id": f"{self._ledger.source}-{sender}-{number}",
            "source": self._ledger.source,
            "title": f"problem {rng.randrange(PROBLEMS)}",
            "severity": rng.choice(QUEUES),
        }
        if kind := _one_of(EFFECTS, rng):
            event |= {"kind": kind, "n": event["id"]}
        fault = self._rare.popleft() if self._rare and number > BATCH else _one_of(FAULTS, rng)
        return event | ({"fault": fault} if fault else {})

    def _post(self, session: requests.Session, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send them once; return those that were not accepted."""
        try:
            answer = session.post(
                f"{self._url}/api/v1/events",
                json=events,
                headers={"Prefer": "return=representation"},
                timeout=10,
            )
        except requests.RequestException:
            return events
        if answer.status_code == 503:
            return events
        if answer.status_code not in (202, 207):
            self._ledger.complain(f"an answer of {answer.status_code}: {answer.text[:200]}")
            return []
        again = []
        for item in answer.json()["items"]:
            event = events[item["index"]]
            if "error" not in item:
                self._ledger.accept(event["id"], item["id"])
            elif item.get("retryable"):
                again.append(event)
            else:
                self._ledger.complain(f"{event['id']} was refused: {item['error']}")
        return again


def _one_of(parts: dict[str, int], rng: random.Random) -> str | None:
    at = rng.randrange(1000)
    for name, number in parts.items():
        if at < number:
            return name
        at -= number
    return None
