"""Issue 5: with Debian's Prometheus and Alertmanager a rule that fires and ends is resolved by both doors."""

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.conftest import wait_until
from tests.docs.test_vendors import block
from tests.instance import Instance, free_port

PROGRAMS = ("prometheus", "prometheus-alertmanager")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]


@pytest.fixture(autouse=True)
def _programs() -> None:
    """Skipped by name without them, and failed in CI."""
    if MISSING:
        reason = f"{' and '.join(MISSING)} were not found"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class Target:
    """What Prometheus scrapes: `broken 1` until it is repaired."""

    def __init__(self) -> None:
        target = self
        self.broken = True

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"broken {int(target.broken)}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Start a program, which is killed at the end."""
    with ExitStack() as stack:

        def run(*command: str) -> None:
            log = stack.enter_context((tmp_path / f"{command[0]}.log").open("wb"))
            process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)

        yield run


def configurations(folder: Path, instance: Instance, alertmanager: int, target: int) -> None:
    """As docs/vendors.md has them, with this instance's address, without a key, and quick."""
    receiver = yaml.safe_load(block("Alertmanager", "yaml").replace("http://127.0.0.1:8000", instance.url))
    receiver["route"] |= {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    del receiver["receivers"][0]["webhook_configs"][0]["http_config"]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(receiver))
    prometheus = yaml.safe_load(
        block("Prometheus without an Alertmanager", "yaml").replace("127.0.0.1:8000", f"127.0.0.1:{instance.port}")
    )
    [door] = prometheus["alerting"]["alertmanagers"]
    del door["authorization"]
    door["static_configs"][0]["targets"].append(f"127.0.0.1:{alertmanager}")
    prometheus |= {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(prometheus))
    rule = {
        "alert": "ShopIsBroken",
        "expr": "broken == 1",
        "labels": {"severity": "page"},
        "annotations": {"summary": "The shop is broken"},
    }
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "shop", "rules": [rule]}]}))


def alerts(instance: Instance) -> dict[str, tuple[str, str, str]]:
    """Source → state, priority and title of its one alert; read without a process for each look."""
    query = "SELECT source, state, priority, title FROM ingest_alert WHERE title = 'The shop is broken'"
    database = f"file:{instance.home / 'queueadmin.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(database, uri=True, timeout=20)) as connection:
        found = connection.execute(query).fetchall()
    return {source: (state, priority, title) for source, state, priority, title in found}


def test_a_rule_that_fires_and_then_does_not_ends_resolved_by_both_doors(
    instance: Instance, run: Callable[..., None], tmp_path: Path
) -> None:
    target, alertmanager, prometheus = Target(), free_port(), free_port()
    try:
        configurations(tmp_path, instance, alertmanager, target.port)
        run(
            "prometheus-alertmanager",
            f"--config.file={tmp_path}/alertmanager.yml",
            f"--storage.path={tmp_path}/alertmanager",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        )
        run(
            "prometheus",
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/prometheus",
            f"--web.listen-address=127.0.0.1:{prometheus}",
            "--rules.alert.resend-delay=1s",
        )
        said = "The shop is broken"
        fired = {"alertmanager": ("triggered", "critical", said), "prometheus": ("triggered", "critical", said)}
        wait_until(lambda: alerts(instance) == fired, what="the alert by both doors")
        target.broken = False
        over = {"alertmanager": ("resolved", "critical", said), "prometheus": ("resolved", "critical", said)}
        wait_until(lambda: alerts(instance) == over, what="the end of the alert by both doors")
    finally:
        target.stop()
    assert requests.get(f"{instance.url}/healthz", timeout=60).ok
