"""docs/vendors.md: every vendor is in it, its configurations are ones, and what they send is taken."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from ingest.api.hooks import HOOKS
from ingest.api.hooks.generic import KEYS, SEVERITIES, STATES, TIMES, TITLES
from tests.ingest.api.conftest import stored_ids
from tests.ingest.api.hooks.conftest import parsed
from tests.ingest.api.hooks.https import certificate, https
from tests.ingest.api.test_fastlane import Daphne

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "docs" / "vendors.md").read_text()
ADDRESS = "http://127.0.0.1:8000"


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def block(title: str, language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def daphne(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daphne]:
    server = Daphne(tmp_path_factory.mktemp("web"))
    yield server
    server.stop()


@pytest.fixture
def key(daphne: Daphne, empty_redis: redis.Redis, request: pytest.FixtureRequest) -> str:
    name = request.node.name[:90]
    return daphne.manage("api_key", "create", name, "--scopes=ingest").splitlines()[-1]


def test_every_vendor_is_in_it_and_no_other_one() -> None:
    assert set(re.findall(r"/api/v1/hooks/(\w+)", TEXT)) == set(HOOKS)


def test_the_names_of_the_generic_hook_are_the_code_s() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", section("Anything else"), re.MULTILINE))
    for what, names in (("title", TITLES), ("severity", SEVERITIES), ("fingerprint", KEYS), ("time", TIMES)):
        assert tuple(re.findall(r"`(\w+)`", rows[what]))[: len(names)] == names
    assert tuple(re.findall(r"`(\w+)`", rows["state"])) == STATES


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool was not found")
def test_alertmanager_takes_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(block("Alertmanager", "yaml"))
    subprocess.run(["amtool", "check-config", str(tmp_path / "alertmanager.yml")], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool was not found")
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(block("Prometheus without an Alertmanager", "yaml"))
    subprocess.run(["promtool", "check", "config", str(tmp_path / "prometheus.yml")], check=True, capture_output=True)


def test_grafana_s_is_a_contact_point() -> None:
    [point] = yaml.safe_load(block("Grafana", "yaml"))["contactPoints"]
    assert point["receivers"][0]["settings"]["url"] == f"{ADDRESS}/api/v1/hooks/grafana"


@pytest.mark.parametrize(("title", "fixture"), [("Datadog", "datadog"), ("Checkly", "checkly"), ("Zabbix", "zabbix")])
def test_a_template_has_the_names_that_are_read(title: str, fixture: str) -> None:
    named = json.loads(block(title, "json"))
    assert set(parsed(fixture)) <= set(named)


def test_new_relic_s_template_has_the_names_that_are_read() -> None:
    filled = re.sub(r"\{\{.*?\}\}", "0", block("New Relic", "json"))
    assert set(json.loads(filled)) <= set(parsed("newrelic"))


def test_the_pagerduty_client_works_as_it_shows(
    daphne: Daphne, key: str, empty_redis: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with https(daphne.port, file) as url:
        code = block("PagerDuty's clients", "python").replace("KEY", key)
        names: dict[str, Any] = {}
        exec(code.replace("https://alerts.example.org", url), names)  # noqa: S102 - it is what a reader copies
        names["client"].close()
    assert len(stored_ids(empty_redis)) == 2


def test_the_checkmk_script_works(daphne: Daphne, key: str, empty_redis: redis.Redis, tmp_path: Path) -> None:
    script = tmp_path / "queueadmin"
    script.write_text(block("Checkmk", "python"))
    told = {**parsed("checkmk"), "NOTIFY_PARAMETER_1": f"{daphne.url}/api/v1/hooks/checkmk", "NOTIFY_PARAMETER_2": key}
    subprocess.run([sys.executable, str(script)], env={**os.environ, **told}, check=True)
    assert empty_redis.llen("rq:queue:critical") == 1
    [job] = stored_ids(empty_redis)
    assert key.encode() not in (empty_redis.hget(f"rq:job:{job}", "data") or b"")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl was not found")
@pytest.mark.parametrize("title", ["Nagios", "Icinga", "Anything else"])
def test_the_commands_work(daphne: Daphne, key: str, empty_redis: redis.Redis, title: str) -> None:
    """Nagios' with its macros filled in, as Nagios does."""
    macros: dict[str, Any] = {
        "NOTIFICATIONTYPE": "PROBLEM",
        "HOSTNAME": "web-1",
        "HOSTADDRESS": "192.0.2.21",
        "SERVICEDESC": "HTTP",
        "SERVICESTATE": "CRITICAL",
        "SERVICEOUTPUT": 'a "quoted" & odd = output',
        "HOSTSTATE": "DOWN",
        "HOSTOUTPUT": "gone",
        "TIMET": "1795766400",
        "STATE": "CRITICAL",
        "OUTPUT": 'a "quoted" & odd = output',
    }
    if title == "Nagios":
        commands = re.findall(r"command_line (.*)", block(title, "ini"))
        commands = [re.sub(r"\$(\w+)\$", lambda found: str(macros[found[1]]), each) for each in commands]
    else:
        commands = [block(title, "sh")]
    for command in commands:
        shown = command.replace("KEY", key).replace(ADDRESS, daphne.url)
        subprocess.run(["bash", "-euo", "pipefail", "-c", shown], env={**os.environ, **macros}, check=True)
    queue = "high" if title == "Anything else" else "critical"
    assert empty_redis.llen(f"rq:queue:{queue}") == len(commands) == len(stored_ids(empty_redis))
