"""docs/operating.md: what it tells people to type works, shows what it says, and its table has the whole grammar."""

import io
import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command

from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.queue.payload import Payload, encode
from queueadmin.console.filters import KEYS
from queueadmin.console.fingerprint import group_of
from tests.console.conftest import Jobs, jobs  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "operating.md").read_text()


def _commands() -> Iterator[list[str]]:
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL):
        # curl's line is that of tests/console/api/test_history.py
        yield from (words for words in map(shlex.split, block.splitlines()) if words[0] != "curl")


def _shown() -> list[list[str]]:
    return [block.splitlines() for block in re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)]


def _incident(jobs: Jobs) -> None:  # noqa: F811
    for number, queue in enumerate(("high", "low", "high"), 1):
        (job_id,) = jobs.fail(queue=queue)
        body = b'{"title": "x", "labels": {"host": "db-1"}}'
        made = Payload(job_id, "alert", datetime.now(UTC), queue, "test", "", None, body)
        connection().hset(
            keys.job(job_id),
            mapping={
                keys.ERROR_TYPE: "OSError",
                keys.ERROR_MESSAGE: f"cannot reach db-{number}.internal:5432",
                "data": encode(made),
            },
        )
    jobs.fail()
    (poison,) = jobs.fail(reason="poison", queue="critical")
    connection().hset(keys.job(poison), mapping={keys.ERROR_TYPE: "Crash", keys.ERROR_MESSAGE: "its worker died"})


def test_what_it_tells_to_type_works(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    _incident(jobs)
    said: dict[str, list[str]] = {}
    for manage, command, *arguments in _commands():
        assert manage == "manage.py"
        words = arguments[: arguments.index(">")] if ">" in arguments else arguments
        out = io.StringIO()
        call_command(command, *words, stdout=out, stderr=io.StringIO())
        said[" ".join(arguments)] = out.getvalue().splitlines()

    def of(start: str) -> list[str]:
        return next(lines for typed, lines in said.items() if typed.startswith(start))

    assert len(said) == 10
    assert len(of("list error:OSError")) == len(of("list queue:high,low")) == 4
    assert len(json.loads("".join(of("list --json")))["items"]) == 3
    assert of("retry --dry-run") == ["3 dead letters would be put back into their queues."]
    assert of("retry --yes") == _shown()[1]
    assert of("discard") == ["1 of 1 dead letter moved to the trash, kept for 24 h."]
    assert len(of("export reason:poison")) == 2
    assert said[""] == _shown()[2]  # verify_audit, after a retry and a discard
    assert len((tmp_path / "dead.jsonl").read_text().splitlines()) == 1


def test_groups_look_as_it_shows(jobs: Jobs) -> None:  # noqa: F811
    _incident(jobs)
    out = io.StringIO()
    call_command("dlq", "groups", "-reason:poison", stdout=out)
    shown, real = _shown()[0], out.getvalue().splitlines()
    assert shown[0].split() == real[0].split()
    assert len(shown) == len(real)
    for one, other in zip(shown[1:], real[1:], strict=True):
        count, group, *_ = one.split()
        assert [count, group] == other.split()[:2]
        assert one.endswith(other[-20:])


def test_the_ids_that_it_shows_are_real() -> None:
    for line in _shown()[0][1:]:
        name, message = line.rpartition("  ")[2].split(": ", 1)
        assert line.split()[1] == group_of(name, message)


def test_its_table_has_every_key() -> None:
    table = TEXT.split("### Filters")[1]
    assert all(f"`{key}:`" in table for key in KEYS)


def test_the_bounds_of_lists_are_the_code_s() -> None:
    from ingest.reading import lists
    from queueadmin.console import job_lists
    from queueadmin.console.job_lists import budget

    assert f"at most {budget.LOOKED_AT:,} jobs are looked at for one" in TEXT
    assert f"the first {lists.DEPTH:,} are looked through" in TEXT
    assert f"up to {job_lists.MAX_LIMIT}" in TEXT


def test_its_table_of_permissions_is_the_code_s() -> None:
    """Issue 7.4."""
    from queueadmin.console.access.permissions import PERMISSIONS

    table = TEXT.split("## Who may do what")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(console\.\w+)` \| (.*) \| (.*) \|$", table, re.MULTILINE)
    assert rows == [(each.name, each.does, ", ".join(each.groups)) for each in PERMISSIONS]
