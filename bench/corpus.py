"""The alerts that are sent: made from a seed, about 0.9 KB each, like what monitoring sends.

No imports of ours and none from outside: the peers' programs read it with an environment of their own.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

SEED = 20
#: Distinct problems: alerts repeat themselves, so a table of problems meets each again and again.
PROBLEMS = 5_000

_SERVICES = ("checkout", "payments", "search", "inventory", "gateway", "identity", "billing", "notify", "catalog")
_TEAMS = ("core", "payments", "platform", "storefront", "data", "sre")
_REGIONS = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2", "ap-southeast-2")
_SOURCES = ("prometheus", "grafana", "datadog", "zabbix", "cloudwatch")
_SEVERITIES = ("critical", "high", "medium", "low")
_SYMPTOMS = (
    ("HighLatency", "p99 latency above its objective", "ms", 250),
    ("DiskWillFill", "disk will be full within four hours", "%", 91),
    ("ErrorRate", "share of failed requests is high", "%", 5),
    ("MemoryPressure", "memory use close to its limit", "%", 93),
    ("ReplicationLag", "replica is behind its primary", "s", 30),
    ("QueueBacklog", "messages wait longer than agreed", "s", 120),
    ("CertificateExpires", "certificate expires soon", "days", 7),
    ("PodRestarts", "container restarts again and again", "1/h", 6),
)
_TEXT = (
    "after the last deployment the node began to answer slowly while its neighbours stayed healthy and no change of "
    "load was seen upstream retries hide part of it until their budget is used up look at the saturation panel first "
    "then drain the instance before restarting it since warm caches take ten minutes to come back on this tier"
)
_WORDS = _TEXT.split()
_BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def alerts(count: int, *, seed: int = SEED) -> Iterator[dict[str, Any]]:
    """`count` alerts, the same ones for the same seed."""
    source = random.Random(seed)
    for number in range(count):
        yield _alert(source, number)


def lines(count: int, *, seed: int = SEED) -> list[bytes]:
    """The same as JSON texts, one line each, without the line's end."""
    return [json.dumps(alert, separators=(",", ":")).encode() for alert in alerts(count, seed=seed)]


def _alert(source: random.Random, number: int) -> dict[str, Any]:
    problem = random.Random(source.randrange(PROBLEMS))
    name, text, unit, threshold = problem.choice(_SYMPTOMS)
    service, region, team = problem.choice(_SERVICES), problem.choice(_REGIONS), problem.choice(_TEAMS)
    pod = f"{service}-{problem.getrandbits(36):09x}-{problem.getrandbits(20):05x}"
    address = f"10.{problem.randrange(256)}.{problem.randrange(256)}.{problem.randrange(256)}:9100"
    samples = [round(threshold * source.uniform(0.9, 1.6), 2) for _ in range(8)]
    return {
        "source": problem.choice(_SOURCES),
        "title": f"{name}: {text} on {pod}",
        "severity": problem.choice(_SEVERITIES),
        "dedup_key": f"{problem.getrandbits(64):016x}",
        "occurred_at": (_BEGIN + timedelta(seconds=number / 80)).isoformat(timespec="milliseconds"),
        "labels": {
            "alertname": name,
            "service": service,
            "team": team,
            "region": region,
            "environment": "production",
            "instance": address,
            "pod": pod,
        },
        "payload": {
            "value": samples[-1],
            "threshold": threshold,
            "unit": unit,
            "samples": samples,
            "description": " ".join(source.choices(_WORDS, k=49)),
            "runbook": f"https://runbooks.example.net/{team}/{name}",
            "trace_id": f"{source.getrandbits(128):032x}",
        },
    }
