"""What 500 open pages cost, beside one: the processor of the web process for a frame, and of the publisher for a
snapshot, which must not know how many there are.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bench import web
from bench.ground import REPOSITORY, Ground, Program, Unmeasured
from bench.report import Goal, Row

VIEWERS = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """Per second."""

    frames: float
    bytes: float
    #: Milliseconds of a core.
    web: float
    publisher: float
    valkey: float


def rows(ground: Ground) -> Iterator[Row]:
    ground.empty()
    environment = ground.environment()
    session = ground.run("-m", "bench.ours.sign_in", "bench-viewers", environment=environment)
    publishing = ground.start(
        [sys.executable, "manage.py", "publish_metrics"], name="publisher", environment=environment
    )
    many = ground.size(VIEWERS, tiny=5)
    with web.ours(ground, environment, path="/") as server:
        one, all_of_them = (_watch(ground, server, publishing, session, count) for count in (1, many))
    publishing.stop()
    further = (all_of_them.web - one.web) / max(1, all_of_them.frames - one.frames)
    yield Row(
        "viewers",
        f"a second of {VIEWERS} viewers, in the web process",
        "ms of a core",
        "less",
        all_of_them.web,
        goals=(Goal(100),),
        note=(
            f"of one viewer {one.web:.1f}; each further frame {1000 * further:.0f} µs; a frame is"
            f" {all_of_them.bytes / all_of_them.frames:,.0f} bytes; {all_of_them.frames:,.0f} frames came in a second;"
            f" Valkey {one.valkey:.1f} with one viewer, {all_of_them.valkey:.1f} with {many}"
        ),
    )
    yield Row(
        "viewers",
        f"the publisher's second with {VIEWERS} viewers, of that with one",
        "times",
        "less",
        all_of_them.publisher / one.publisher,
        goals=(Goal(1.25),),
        note=f"ms of a core: {one.publisher:.1f} with one, {all_of_them.publisher:.1f} with {many}",
    )


def _watch(ground: Ground, server: web.Web, publishing: Program, session: str, count: int) -> Seen:
    seconds = 1.0 if ground.small else max(4.0, ground.seconds)
    command = [sys.executable, "-m", "bench.audience", str(server.port), session, str(count), str(seconds)]
    programs = (server.program, publishing, ground.valkey)
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as there:
        assert there.stdout is not None
        assert there.stderr is not None
        begin = there.stdout.readline()
        used = [each.processor_seconds() for each in programs]
        end = there.stdout.readline()
        used = [each.processor_seconds() - before for each, before in zip(programs, used, strict=True)]
        said = there.stderr.read()
    if not begin or not end:
        raise Unmeasured(_reason(said) if said.strip() else "the sockets were closed")
    came = {name: json.loads(end)[name] - json.loads(begin)[name] for name in ("frames", "bytes")}
    if came["frames"] < count:
        raise Unmeasured(f"only {came['frames']} frames came to {count} viewers")
    return Seen(came["frames"] / seconds, came["bytes"] / seconds, *(1000 * each / seconds for each in used))


def _reason(said: str) -> str:
    """The innermost error of a traceback, whose frames of a task group end in rules."""
    return next((line.strip(" |") for line in reversed(said.splitlines()) if "Error" in line), said.strip()[-200:])
