"""The log as files: CSV that is safe for spreadsheets, JSON lines; streamed."""

import csv
import io
import json

import pytest

from queueadmin.console import audit
from queueadmin.console.audit import export
from queueadmin.console.audit.reading import _AT_ONCE
from tests.console.audit.test_reading import did

pytestmark = pytest.mark.django_db


def test_csv_runs_in_no_spreadsheet() -> None:
    did("@ada", reason="=1+1", target='a "b", c')
    (row,) = csv.DictReader(io.StringIO("".join(export.lines(audit.chosen(""), "csv"))))
    assert (row["actor"], row["reason"], row["target"]) == ("'@ada", "'=1+1", 'a "b", c')
    assert (row["state"], row["count"], row["asked"]) == ("done", "1", "")


def test_json_lines_have_the_api_s_fields_and_what_the_filter_chooses() -> None:
    did("ada")
    did("bob")
    (line,) = export.lines(audit.chosen("by:bob"), "jsonl")
    assert json.loads(line)["actor"] == "bob"
    (entry,) = audit.page(audit.chosen("by:bob"), limit=1).items
    assert set(json.loads(line)) == set(audit.shown(entry))


def test_a_long_log_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _AT_ONCE > 2
    monkeypatch.setattr("queueadmin.console.audit.reading._AT_ONCE", 2)
    for number in range(5):
        did(target=f"queue-{number}")
    targets = [json.loads(line)["target"] for line in export.lines(audit.chosen(""), "jsonl")]
    assert targets == [f"queue-{number}" for number in (4, 3, 2, 1, 0)]
