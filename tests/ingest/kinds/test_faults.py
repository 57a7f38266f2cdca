"""Failure on purpose (contract 2): which events fail, how, and when they are refused."""

import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ingest.kinds import faults
from ingest.kinds.errors import PermanentError
from ingest.queue.payload import Payload


def payload(body: bytes) -> Payload:
    return Payload("0" * 32, "alert", datetime.now(UTC), "high", "", "", None, body)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"fault":"error"}', "error"),
        (b'{"payload":{"fault":"error:2"}}', "error:2"),
        (b'{"payload": {"x": [1], "fault": "slow:0.5"}}', "slow:0.5"),
        (b'{"fault":null,"payload":{"fault":"permanent"}}', "permanent"),
        (b'{"title":"no fault"}', None),
        (b'{"fault":"motor overheated"}', None),
        (b'{"fault":17,"payload":[{"fault":"error"}]}', None),
        (b'{"labels":{"fault":"error"},"payload":"text"}', None),
        (b'{"fault":"error:99999"}', None),
        (b'{"fault":"slow:-1"}', None),
    ],
)
def test_it_finds_the_fault_and_leaves_senders_own_fields_alone(body: bytes, fault: str | None) -> None:
    assert faults.fault_of(body) == fault


def test_error_fails_always_and_error_n_the_first_n_times() -> None:
    for attempts in (0, 1, 50):
        with pytest.raises(faults.FaultError):
            faults.apply(payload(b'{"fault":"error"}'), attempts)
    for attempts in (0, 1):
        with pytest.raises(faults.FaultError):
            faults.apply(payload(b'{"fault":"error:2"}'), attempts)
    faults.apply(payload(b'{"fault":"error:2"}'), 2)


def test_permanent_raises_the_error_that_is_not_retried() -> None:
    with pytest.raises(PermanentError):
        faults.apply(payload(b'{"fault":"permanent"}'), 0)


def test_slow_takes_its_time_and_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(faults.time, "sleep", slept.append)
    faults.apply(payload(b'{"fault":"slow:1.5"}'), 0)
    assert slept == [1.5]


@pytest.mark.parametrize("fault", ["error", "error:3", "slow:1", "permanent"])
def test_production_refuses_every_fault(settings: pytest.FixtureRequest, fault: str) -> None:
    assert faults.refused(fault) is None
    settings.PROD = True  # type: ignore[attr-defined]
    assert "PROD" in str(faults.refused(fault))
    faults.apply(payload(b'{"fault":"%s"}' % fault.encode()), 0)


@pytest.mark.parametrize("fault", ["crash", "segfault", "hang"])
def test_deadly_faults_need_the_setting(settings: pytest.FixtureRequest, fault: str) -> None:
    assert "QUEUEADMIN_FAULTS" in str(faults.refused(fault))
    faults.apply(payload(b'{"fault":"%s"}' % fault.encode()), 0)
    settings.QUEUEADMIN_FAULTS = True  # type: ignore[attr-defined]
    assert faults.refused(fault) is None


def test_other_words_are_never_refused(settings: pytest.FixtureRequest) -> None:
    settings.PROD = True  # type: ignore[attr-defined]
    assert faults.refused("motor overheated") is None


@pytest.mark.parametrize(("fault", "number"), [("crash", signal.SIGKILL), ("segfault", signal.SIGSEGV)])
def test_a_deadly_fault_ends_the_process(fault: str, number: int) -> None:
    program = (
        "import os, django; os.environ['QUEUEADMIN_FAULTS'] = '1'; django.setup()\n"
        "from datetime import UTC, datetime\n"
        "from ingest.kinds import faults\n"
        "from ingest.queue.payload import Payload\n"
        f"faults.apply(Payload('0', 'alert', datetime.now(UTC), 'high', '', '', None, b'{{\"fault\":\"{fault}\"}}'), 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert ended.returncode == -number
