"""`manage.py demo`: a living mix of alerts, tasks, messages and points, sent to a running instance over HTTP."""

import http.client
import itertools
import json
import math
import random
import time
import uuid
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

#: Alerts of the test script that Keep's description brings: sent one by one, as it does.
_KEEP_SEVERITIES: Final = ("critical", "high", "medium", "low")
#: What vendors really call themselves and their severities, numbers included.
_VENDORS: Final = (
    ("prometheus", ("critical", "warning", "info"), ("HighErrorRate", "TargetDown", "KubePodCrashLooping")),
    ("datadog", ("P1", "P2", "P3", "P5"), ("Disk usage is high on {host}", "Anomaly in checkout latency")),
    ("zabbix", ("5", "4", "2", "1"), ("Interface eth0 is down on {host}", "CPU load is too high on {host}")),
    ("pagerduty", ("critical", "error", "warning"), ("API latency above SLO", "Certificate expires soon")),
    ("nagios", ("CRITICAL", "WARNING", "OK"), ("{host}/http", "{host}/swap")),
    ("sentry", ("fatal", "error", "warning"), ("TypeError in cart.add", "TimeoutError in billing.charge")),
)
_SERVICES: Final = ("checkout", "search", "billing", "login", "images")
#: One in that many vendor alerts fails, and how: most recover by a retry, a few end as dead letters.
_FAULTS: Final = ((40, "error:1"), (60, "error:2"), (170, "permanent"), (310, "error"))

#: Requests a second: enough to see every number move, little enough for a laptop.
_BEAT: Final = 0.1
#: A burst of which every hundredth takes a second: the queues grow visibly and drain again.
_BURST_EVERY, _BURST_SIZE, _BURST_SLOW_EVERY = 20.0, 500, 100
#: Between the bursts now and then one that takes its time, so that processing is not always zero.
_SLOW_EVERY = 7.0
#: A task of each example type in turn; one in that many asks for what cannot be, and is a dead letter at once.
_TASK_EVERY, _TASK_WRONG = 1.5, 23
#: In each chat one message follows the other. One in so many fails once, and holds back what follows in its chat for
#: ten seconds; one in so many is a dead letter at once.
_MESSAGE_EVERY, _MESSAGE_FAILS, _MESSAGE_DIES = 0.5, 25, 90
#: Gliders that circle say where they are; now and then one hands in its whole track, of which most is known.
_POINTS_EVERY, _TRACK_EVERY = 1.0, 15.0
_GLIDERS, _TRACK = 8, 300
_CHATS: Final = ("telegram", "whatsapp", "web")
_SENTENCES: Final = (
    "Hello, world!",
    "When do you open?",
    "Where is my order?",
    "Thank you!",
    "Can I talk to a person?",
)


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    body: Any
    at: float


class Command(BaseCommand):
    help = (
        "Sends traffic of all kinds to the running instance: test alerts, vendors' alerts, tasks, messages, points,"
        " duplicates, bursts, slow ones, some that fail for a while, some for ever."
        " Ends with Ctrl-C, or after --seconds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        host = "127.0.0.1" if settings.HOST in {"0.0.0.0", "::"} else settings.HOST  # noqa: S104 - compared, not bound
        parser.add_argument("--url", default=f"http://{host}:{settings.PORT}", help="the instance (%(default)s)")
        parser.add_argument("--key", help="an API key with the scope ingest, where the instance demands one")
        parser.add_argument("--seconds", type=float, default=math.inf, help="stop after that long")
        parser.add_argument("--seed", type=int, default=None, help="the same seed sends the same alerts")

    def handle(self, *, url: str, key: str | None, seconds: float, seed: int | None, **options: Any) -> None:
        if settings.PROD:
            raise CommandError("PROD is true: the demo's failures on purpose are refused there.")
        sender = Sender(url, key)
        self.stdout.write(f"Sending alerts to {url}; Ctrl-C ends it.")
        started = reported = time.monotonic()
        try:
            for request in traffic(random.Random(seed), seconds):  # noqa: S311 - no secret
                time.sleep(max(0.0, started + request.at - time.monotonic()))
                if time.monotonic() - started >= seconds:
                    break  # an instance that went away, or is slow, makes what was to be sent late
                sender.send(request)
                if time.monotonic() - reported > 5:
                    reported = time.monotonic()
                    self.stdout.write(sender.summary())
        except KeyboardInterrupt:
            pass
        finally:
            sender.close()
        self.stdout.write(sender.summary())


class Sender:
    """One kept connection, and the count of what the instance answered. Raises CommandError."""

    def __init__(self, url: str, key: str | None) -> None:
        address = urlsplit(url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise CommandError(f"--url must look like http://127.0.0.1:8000, not {url!r}.")
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self._url = url
        self._connection = kind(address.hostname, address.port, timeout=30)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._answers: Counter[str] = Counter()
        self._reached = False

    def send(self, request: Request) -> None:
        """Post it and count the answer; an instance that went away is waited for."""
        body = json.dumps(request.body)
        try:
            self._connection.request("POST", request.path, body, self._headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if not self._reached:
                raise CommandError(f"Nothing answers at {self._url} ({error}); start it with: make run") from None
            self._answers["unanswered"] += 1
            time.sleep(1)
            return
        self._reached = True
        if response.status in {401, 403}:
            raise CommandError(f"{self._url} demands an API key: make one with manage.py api_key, and use --key.")
        self._count(response.status, answer, request)

    def _count(self, status: int, answer: bytes, request: Request) -> None:
        sent = len(request.body) if isinstance(request.body, list) else 1
        self._answers["sent"] += sent
        if status not in {200, 202, 207}:
            self._answers[f"refused with {status}"] += sent
            return
        receipt = json.loads(answer)
        repeated = int(receipt.get("duplicate", False))
        # Of points it is how many were queued.
        self._answers["accepted"] += receipt.get("accepted", receipt.get("queued", 1 - repeated))
        self._answers["duplicates"] += receipt.get("duplicates", repeated)
        self._answers["refused"] += receipt.get("rejected", 0)

    def summary(self) -> str:
        """`sent 812, accepted 810, …`."""
        return ", ".join(f"{name} {count:,}" for name, count in self._answers.items() if count) or "nothing sent"

    def close(self) -> None:
        self._connection.close()


def traffic(chance: random.Random, seconds: float = math.inf) -> Iterator[Request]:
    """What to send, each with the second after the start at which it is due."""
    vendor_alert = _VendorAlerts(chance)
    next_task = _Tasks(chance)
    next_message = _Messages(chance)
    gliders = _Gliders()
    burst, slow, task, message = _BURST_EVERY / 2, _SLOW_EVERY / 2, _TASK_EVERY / 2, _MESSAGE_EVERY
    points, track = _POINTS_EVERY, _TRACK_EVERY
    for beat in itertools.count():
        at = beat * _BEAT
        if at >= seconds:
            return
        yield Request("/api/alerts/event", _keep_alert(beat, chance), at)
        # The load swells and falls within a minute, as it does over a day.
        for _ in range(chance.randrange(2 + round(3 * (1 + math.sin(at / 60 * math.tau))))):
            yield Request("/api/v1/events", vendor_alert(), at)
        if at >= burst:
            burst += _BURST_EVERY
            yield Request("/api/v1/events", _burst(vendor_alert), at)
        if at >= slow:
            slow += _SLOW_EVERY
            yield Request("/api/v1/events", vendor_alert(fault="slow:2"), at)
        if at >= task:
            task += _TASK_EVERY
            yield Request("/api/tasks", next_task(), at)
        if at >= message:
            message += _MESSAGE_EVERY
            yield Request("/api/messages", next_message(), at)
        if at >= points:
            points += _POINTS_EVERY
            yield Request("/tracking/live", gliders.now(), at)
        if at >= track:
            track += _TRACK_EVERY
            yield Request("/tracking/upload", gliders.track(), at)


def _burst(vendor_alert: "_VendorAlerts") -> list[dict[str, Any]]:
    return [vendor_alert(fault=None if n % _BURST_SLOW_EVERY else "slow:1") for n in range(_BURST_SIZE)]


def _keep_alert(number: int, chance: random.Random) -> dict[str, Any]:
    severity = chance.choice(_KEEP_SEVERITIES)
    return {
        "title": f"Test Alert {number}",
        "severity": severity,
        "source": "test_script",
        "timestamp": time.time(),
        "description": f"This is test alert {number} with {severity} severity",
    }


class _Gliders:
    """Where each is at a second: it circles, and climbs for some minutes before it sinks again."""

    def __init__(self) -> None:
        self._numbers = itertools.cycle(range(_GLIDERS))

    def now(self) -> list[dict[str, Any]]:
        second = int(time.time())
        return [self._point(number, second) for number in range(_GLIDERS)]

    def track(self) -> list[dict[str, Any]]:
        """The last minutes of the next one."""
        number, second = next(self._numbers), int(time.time())
        return [self._point(number, second - ago) for ago in range(_TRACK, 0, -1)]

    @staticmethod
    def _point(number: int, second: int) -> dict[str, Any]:
        turn = (second / 25 + number / _GLIDERS) * math.tau
        return {
            "device_id": f"demo-glider-{number + 1}",
            "time": second,
            "lat": round(46.5 + number / 20 + math.sin(turn) / 500, 6),
            "lon": round(7.25 + number / 30 + math.cos(turn) / 350, 6),
            "alt": round(1_800 + 600 * math.sin(second / 300 + number), 1),
            "speed": round(26 + 4 * math.sin(turn), 1),
            "heading": round(turn * 360 / math.tau) % 360,
        }


class _Tasks:
    """Calling it makes the next task: one computes, one waits on the network, one tells how far it is."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._run = uuid.UUID(int=chance.getrandbits(128)).hex[:8]
        self._numbers = itertools.count(1)

    def __call__(self) -> dict[str, Any]:
        number = next(self._numbers)
        payloads: dict[str, dict[str, Any]] = {
            "demo-primes": {"below": self._chance.randrange(10_000, 500_000)},
            "demo-fetch": {"milliseconds": self._chance.randrange(50, 800)},
            "demo-report": {"pages": self._chance.randrange(5, 60), "milliseconds": 150},
        }
        task_type = list(payloads)[number % len(payloads)]
        payload = {"pages": -1} if number % _TASK_WRONG == 0 else payloads[task_type]
        return {
            "task_id": f"demo-{self._run}-task-{number}",
            "task_type": "demo-report" if "pages" in payload else task_type,
            "payload": payload,
            "priority": self._chance.choice(("critical", "high", "normal", "low")),
        }


class _Messages:
    """Calling it makes the next message of some chat."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._run = uuid.UUID(int=chance.getrandbits(128)).hex[:8]
        self._numbers = itertools.count(1)

    def __call__(self) -> dict[str, Any]:
        number = next(self._numbers)
        source, user = self._chance.choice(_CHATS), f"user-{self._chance.randrange(1, 6)}"
        message: dict[str, Any] = {
            "user_id": user,
            "message": self._chance.choice(_SENTENCES),
            "source_type": source,
            "source_id": "demo-bot",
            "chat_id": f"{source}-{user}",
            "chat_type": "private",
            "message_id": f"demo-{self._run}-{number}",
            "response_token": f"demo-token-{self._run}",
            "ordering_key": f"{source}-{user}",
        }
        if number % _MESSAGE_DIES == 0:
            message["fault"] = "permanent"
        elif number % _MESSAGE_FAILS == 0:
            message["fault"] = "error:1"
        return message


class _VendorAlerts:
    """Calling it makes the next alert, or repeats one that was sent before."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._run = uuid.UUID(int=chance.getrandbits(128)).hex[:8]
        self._numbers = itertools.count(1)
        self._recent: list[dict[str, Any]] = []

    def __call__(self, fault: str | None = None) -> dict[str, Any]:
        if fault is None and self._recent and self._chance.random() < 0.04:
            return self._chance.choice(self._recent)
        number = next(self._numbers)
        source, severities, titles = self._chance.choice(_VENDORS)
        host = f"web-{self._chance.randrange(1, 9)}"
        alert: dict[str, Any] = {
            "kind": "alert",
            "id": f"demo-{self._run}-{number}",
            "source": source,
            "title": self._chance.choice(titles).format(host=host),
            "severity": self._chance.choice(severities),
            "action": "resolve" if self._chance.random() < 0.15 else "trigger",
            "labels": {"host": host, "service": self._chance.choice(_SERVICES), "region": "eu-1"},
            "payload": {"value": round(self._chance.uniform(0, 100), 2), "runbook": "https://runbooks.example.org/42"},
        }
        fault = fault or next((name for every, name in _FAULTS if number % every == 0), None)
        if fault:
            alert["fault"] = fault
        self._recent = [*self._recent[-30:], alert]
        return alert
