"""Dead letters written out, as CSV and as JSON lines."""

import csv
import io
import json
import stat
from pathlib import Path

import pytest

from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import carry, dlq, fail, refused

pytestmark = pytest.mark.django_db


def test_export_as_csv_is_formula_safe_and_masked(jobs: Jobs) -> None:
    (job_id,) = fail(jobs, message="=1+1", source="@source")
    carry(job_id, b'{"title": "-2+3", "password": "hunter2", "n": 18446744073709551617}')
    (row,) = csv.DictReader(io.StringIO(dlq("export", "--format", "csv")))
    assert (row["id"], row["error_message"], row["source"], row["title"]) == (job_id, "'=1+1", "'@source", "'-2+3")
    assert json.loads(row["payload"])["n"] == 18446744073709551617
    assert json.loads(row["payload"])["password"] == "•••"
    assert row["error_type"] == "ValueError"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row.values())


def test_export_as_json_lines_to_a_file_for_its_owner_alone(jobs: Jobs, tmp_path: Path) -> None:
    ids = [*jobs.fail(30), *jobs.fail(10, queue="low")]
    output = tmp_path / "dead.jsonl"
    assert dlq("export", "--format", "jsonl", "--output", str(output), "queue:high") == ""
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["id"] for row in rows] == ids[29::-1]
    assert rows[0]["payload"] == {"title": "Problem 30"}
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [output]


def test_an_export_that_cannot_be_written_leaves_nothing(jobs: Jobs, tmp_path: Path) -> None:
    jobs.fail()
    code, said = refused("export", "--output", str(tmp_path / "no" / "such.csv"))
    assert code == 1
    assert said.endswith("cannot be written: No such file or directory.")
