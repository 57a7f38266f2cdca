"""Dead letters that go back into their queue in a second, all at once as after an outage."""

from collections.abc import Iterator

from bench.contestants import peers_python, require_peers
from bench.ground import Ground, Unmeasured
from bench.report import Peer, Row

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
    yield Row("requeue", f"{DEAD:,} dead letters requeued", "jobs/s", "more", count / said["seconds"], (peer,))


def _at_rq(ground: Ground) -> float:
    ground.empty()
    python = str(peers_python())
    environment = {"BENCH_REDIS": f"{ground.folder}/valkey.sock"}
    count = ground.size(DEAD_AT_RQ)
    said = ground.run("-m", "bench.peers.rq_bury", str(count), environment=environment, python=python)
    return float(count / said["seconds"])
