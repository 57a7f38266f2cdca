"""A4 and rule 9: every vendor's words and numbers map to a priority; none is ever demoted unseen."""

import json
from pathlib import Path

import pytest

from ingest.priorities import PRIORITIES, SOURCES, Priority, classify

MAP = json.loads((Path(__file__).parents[2] / "data" / "severity_map.json").read_text())


def test_priorities_are_in_draining_order() -> None:
    assert PRIORITIES == (Priority.CRITICAL, Priority.HIGH, Priority.MEDIUM, Priority.LOW)
    assert [str(priority) for priority in PRIORITIES] == ["critical", "high", "medium", "low"]


@pytest.mark.parametrize("source", sorted(MAP["sources"]))
def test_every_word_of_a_source_s_table_counts_for_it(source: str) -> None:
    for word, priority in MAP["sources"][source].items():
        severity = classify(word.upper(), source=f"{source.upper()}/eu1")
        assert (severity.mapped, severity.by, severity.unknown) == (priority, "source", False)


def test_every_common_word_counts_for_everybody() -> None:
    for word, priority in MAP["generic"].items():
        severity = classify(f" {word.title()} ", source="nobody knows")
        assert (severity.mapped, severity.by) == (priority, "word")


@pytest.mark.parametrize(
    ("source", "raw", "priority"),
    [
        ("zabbix", 5, "critical"),
        ("syslog", 0, "critical"),
        ("datadog", 1, "critical"),
        ("datadog", "P1", "critical"),
        ("datadog", "user_update", "low"),
        ("servicenow", 5.0, "low"),
        ("prometheus:eu1", "page", "critical"),
        ("otel", 24, "critical"),
        ("opentelemetry", "12", "low"),
        ("nagios", 2, "critical"),
        ("nagios", "UNREACHABLE", "high"),
        ("checkmk", "DOWN", "critical"),
    ],
)
def test_a_number_or_a_vendor_s_word_counts_with_its_source(source: str, raw: str | float, priority: str) -> None:
    severity = classify(raw, source=source)

    assert (severity.mapped, severity.by) == (priority, "source")


@pytest.mark.parametrize("raw", [0, 1, 5, "1", "-1", "2.5", 5.0])
def test_a_number_without_a_known_source_is_unknown(raw: str | float) -> None:
    severity = classify(raw, source="my script", default=Priority.LOW)

    assert (severity.mapped, severity.unknown) == ("medium", True)


def test_an_unknown_word_is_medium_whatever_the_default() -> None:
    severity = classify("Weird ", default=Priority.LOW)

    assert (severity.raw, severity.mapped, severity.by, severity.unknown) == ("Weird ", "medium", "default", True)


@pytest.mark.parametrize("raw", [None, "", "  "])
def test_without_a_word_the_default_counts(raw: str | None) -> None:
    assert classify(raw, default=Priority.LOW).mapped == "low"
    assert classify(raw).mapped == "medium"
    assert classify(raw).raw is None


def test_a_source_s_own_word_wins_over_the_common_one() -> None:
    assert classify("unknown", source="nagios_service").by == "source"
    assert classify("sev2", source="azure").mapped == "medium"
    assert classify("sev2").mapped == "high"


def test_every_table_leads_to_a_priority() -> None:
    assert all(priority in PRIORITIES for table in SOURCES.values() for priority in table.values())
