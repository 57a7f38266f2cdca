"""Issue 5, point 2: a mapping is an operation of the console's, audited."""

import pytest

from ingest.api import mappings
from ingest.api.mappings import MappingRefused
from ingest.models import FieldMapping, SeverityMapping
from queueadmin.console import operations
from queueadmin.console.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_read() -> None:
    mappings.forget()


def outcomes() -> list[tuple[str, str, int | None, str]]:
    entries = AuditEntry.objects.filter(step=AuditEntry.Step.OUTCOME).order_by("id")
    return [(each.actor, each.action, each.count, each.outcome) for each in entries]


def test_a_severity_is_mapped_and_unmapped() -> None:
    first = operations.map_severity("shop", "Odd", "critical", actor="ana", reason="wakes us")
    again = operations.map_severity("shop", "odd", "critical", actor="ben")
    assert (first.changed, again.changed) == (True, False)
    assert mappings.current().priority("ODD", ("shop",), None) == "critical"
    gone = operations.unmap_severity("shop", "odd", actor="ana")
    none = operations.unmap_severity("shop", "odd", actor="ana")
    assert (gone.changed, none.changed) == (True, False)
    assert not SeverityMapping.objects.exists()
    assert outcomes() == [
        ("ana", "map_severity", 1, "The severity 'Odd' of shop is critical from now on."),
        ("ben", "map_severity", 0, "The severity 'odd' of shop was critical."),
        ("ana", "unmap_severity", 1, "The severity 'odd' of shop is not mapped any more."),
        ("ana", "unmap_severity", 0, "The severity 'odd' of shop was not mapped."),
    ]


def test_fields_are_mapped_and_unmapped() -> None:
    assert operations.map_fields("nas", {"title": "event.what"}, actor="ana").changed
    assert not operations.map_fields("nas", {"title": "event.what"}, actor="ana").changed
    assert mappings.current().fields_of("NAS", None) == {"title": "event.what"}
    assert operations.unmap_fields("nas", actor="ana").changed
    assert not operations.unmap_fields("nas", actor="ana").changed
    assert not FieldMapping.objects.exists()
    assert [each[2] for each in outcomes()] == [1, 0, 1, 0]


def test_what_is_refused_is_audited_too() -> None:
    with pytest.raises(MappingRefused):
        operations.map_severity("shop", "odd", "urgent", actor="ana")
    [(_, action, count, said)] = outcomes()
    assert (action, count) == ("map_severity", None)
    assert "priority must be one of" in said
