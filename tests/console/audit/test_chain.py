"""The chain: what was changed or taken out shows, and there is one writer."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from queueadmin.console import audit
from queueadmin.console.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def _done(count: int = 1) -> None:
    with audit.audited(actor="ada", action="retry", target="job-1", count=count, reason="fixed it") as outcome:
        outcome.count, outcome.sentence = count, f"{count} jobs put back."


def _verify_audit(*arguments: str) -> tuple[int, str]:
    said, code = StringIO(), 0
    try:
        call_command("verify_audit", *arguments, stdout=said)
    except SystemExit as error:
        code = int(error.code or 0)
    return code, said.getvalue()


def test_x10_the_chain_holds_and_shows_a_change() -> None:
    for number in range(3):
        _done(number)
    assert audit.first_broken() is None
    second = AuditEntry.objects.order_by("id")[1]
    AuditEntry.objects.filter(pk=second.pk).update(actor="somebody else")
    assert audit.first_broken() == second.pk


def test_x10_the_chain_shows_an_entry_taken_out() -> None:
    for number in range(3):
        _done(number)
    _, second, third, *_ = AuditEntry.objects.order_by("id")
    second.delete()
    assert audit.first_broken() == third.pk


def test_a_later_check_goes_on_where_the_first_ended() -> None:
    _done()
    first = audit.verify()
    assert first.entries == 2
    AuditEntry.objects.update(actor="somebody else")  # of what was checked: the next check of all finds it
    _done()
    assert audit.verify(first).entries == 4
    assert audit.verify().entries == 0


def test_x10_verify_audit_names_the_first_broken_entry() -> None:
    assert _verify_audit() == (0, "The chain is intact: there is no entry yet.\n")
    for number in range(3):
        _done(number)
    assert _verify_audit() == (0, "The chain is intact: all 6 entries hold.\n")
    second = AuditEntry.objects.order_by("id")[1]
    AuditEntry.objects.filter(pk=second.pk).update(count=7)
    code, said = _verify_audit()
    assert code == 1
    assert f"broken at entry {second.pk}" in said
    code, said = _verify_audit("--json")
    found = json.loads(said)
    assert (code, found["holds"], found["entries"], found["broken"]) == (1, False, 1, second.pk)
    assert found["broken_at"] == second.at.isoformat()


@pytest.mark.django_db(transaction=True)
def test_x10_two_writers_at_once_make_one_chain() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time by itself")
    together = threading.Barrier(8)

    def write(number: int) -> None:
        together.wait(30)
        _done(number)
        connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    assert AuditEntry.objects.count() == 16
    assert audit.first_broken() is None
