"""From the words and numbers that senders use for severity to the four priorities. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final


class Priority(StrEnum):
    """In the order in which the queues are drained. Each is also its queue's name."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


PRIORITIES: Final = tuple(Priority)


@dataclass(frozen=True, slots=True)
class Severity:
    """How an event got its priority."""

    #: The sender's own word or number, as text; None when there was none.
    raw: str | None
    mapped: Priority
    #: What decided: `priority` (named by the sender), `mapping` (an operator's), `source` (its vendor's table), `word`
    #: (the table for all), `default`; of a resolve also `open_alert`.
    by: str
    #: There was a word, and no table knows it.
    unknown: bool = False


_MAP: Final = json.loads((Path(__file__).resolve().parent.parent / "data" / "severity_map.json").read_text())


def _table(words: Mapping[str, str]) -> dict[str, Priority]:
    return {word: Priority(name) for word, name in words.items()}


def _ranges(ranges: Mapping[str, str]) -> dict[str, Priority]:
    """`{"1-12": "low"}` → each of its numbers."""
    table = {}
    for span, name in ranges.items():
        first, last = (int(end) for end in span.split("-"))
        table.update({str(number): Priority(name) for number in range(first, last + 1)})
    return table


_WORDS: Final = _table(_MAP["generic"])
_DEFAULT: Final = Priority(_MAP["default"])
_TABLES: Final = {name: _table(words) for name, words in _MAP["sources"].items()}

#: A host's words beside a service's; numbers are a service's.
_NAGIOS: Final = {**_TABLES["nagios_host"], **_TABLES["nagios_service"]}

#: What senders call themselves → their vendor's table. Where a vendor has two scales, the first wins.
SOURCES: Final[dict[str, dict[str, Priority]]] = {
    **_TABLES,
    "otel": _ranges(_MAP["otel"]),
    "opentelemetry": _ranges(_MAP["otel"]),
    "prometheus": _TABLES["alertmanager"],
    "grafana": _TABLES["alertmanager"],
    "datadog": {**_TABLES["datadog_alert_type"], **_TABLES["datadog_priority"]},
    "coralogix": _TABLES["opsgenie"],
    "rsyslog": _TABLES["syslog"],
    "nagios": _NAGIOS,
    "icinga": _NAGIOS,
    "icinga2": _NAGIOS,
    "checkmk": _NAGIOS,
    "centreon": _NAGIOS,
}


def classify(raw: str | int | float | None, *, source: str = "", default: Priority = _DEFAULT) -> Severity:
    """The priority of a severity: by its source's table, else by the table of words.

    A bare number means nothing without its source (5 is the worst for Zabbix, 1 for Datadog), so it
    is unknown then. An unknown word is medium, never less: it may be the sender's worst. Without any
    severity the answer is `default`.
    """
    text = _text(raw)
    word = text.strip().casefold()
    if not word:
        return Severity(None, default, "default")
    table = SOURCES.get(vendor(source))
    if table and word in table:
        return Severity(text, table[word], "source")
    if word in _WORDS and not _is_number(word):
        return Severity(text, _WORDS[word], "word")
    return Severity(text, _DEFAULT, "default", unknown=True)


def _text(raw: str | int | float | None) -> str:
    if raw is None:
        return ""
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)  # some senders' JSON writes 3 as 3.0
    return str(raw)


def vendor(source: str) -> str:
    """`Prometheus/eu1` and `prometheus:eu1` come from Prometheus."""
    return source.split("/", 1)[0].split(":", 1)[0].strip().casefold()


def _is_number(word: str) -> bool:
    return word.lstrip("+-").replace(".", "", 1).isdigit()
