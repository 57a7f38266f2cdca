"""Dead letters that go back into their queue in a second, all at once as after an outage."""

from collections.abc import Iterator

from bench.contestants import peers_python, require_peers
from bench.ground import Ground, Unmeasured
from bench.report import Goal, Peer, Row

#: As many as it is about; RQ gets fewer, since each costs it the same.
DEAD = 100_000
DEAD_AT_RQ = 5_000


def rows(ground: Ground) -> Iterator[Row]:
    ground.empty()
    count = ground.size(DEAD)
    said = ground.run("-m", "bench.ours.bury", str(count), environment=ground.environment())
    try:
        require_peers(ground)
        peer = Peer("RQ's registry", _at_rq(ground))
    except Unmeasured as error:
        peer = Peer("RQ's registry", None, str(error))
    name = f"{DEAD:,} dead letters requeued while somebody looks at the console"
    yield Row("requeue", name, "jobs/s", "more", count / said["seconds"], (peer,), (Goal(10_000),))
    pages = said["pages"]
    listed = "; ".join(f"{path} {median:.0f} / {slowest:.0f}" for path, (median, slowest) in pages.items())
    median = max(median for median, _ in pages.values())
    note = f"ms, median / slowest: {listed}"
    yield Row("requeue", "the slowest page meanwhile", "ms", "less", median, goals=(Goal(300),), note=note)


def _at_rq(ground: Ground) -> float:
    ground.empty()
    python = str(peers_python())
    environment = {"BENCH_REDIS": f"{ground.folder}/valkey.sock"}
    count = ground.size(DEAD_AT_RQ)
    said = ground.run("-m", "bench.peers.rq_bury", str(count), environment=environment, python=python)
    return float(count / said["seconds"])
