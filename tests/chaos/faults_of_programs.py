"""Programs that are killed, held up or rolled over."""

import signal
from collections.abc import Callable
from functools import partial

from tests.chaos import clocks
from tests.chaos.faults_of_databases import without_database
from tests.chaos.product import DEADLINE
from tests.chaos.scene import Scene, held
from tests.waiting import wait_until


def idle_worker(scene: Scene) -> None:
    scene.under_load()
    scene.load.pause()
    wait_until(scene.product.settled, seconds=DEADLINE, what="an idle system")
    scene.product.kill("worker-1")
    scene.load.go_on()
    scene.under_load()


def busy_worker(scene: Scene) -> None:
    for number in range(2):  # an event that meets three crashes is poison, by design
        scene.under_load()
        scene.in_mid_batch()
        scene.product.kill(f"worker-{number % 2 + 1}")


def web(scene: Scene) -> None:
    for _ in range(2):
        scene.under_load()
        scene.product.kill("web")


def web_again(scene: Scene) -> None:
    """At any moment: while it starts, while it takes in, while it answers."""
    scene.under_load()
    for _ in scene.until(120):
        scene.last(scene.rng.uniform(0.2, 8))
        scene.product.strike("web")
    scene.product.wait_for_all()


def maintenance(scene: Scene) -> None:
    for _ in range(2):
        scene.under_load()
        scene.product.kill("maintain")


def stopped_worker(scene: Scene) -> None:
    """Longer than its lease, so that its jobs are taken back and run by the other one."""
    scene.under_load()
    scene.in_mid_batch()
    held(scene.product.instance.pids()["worker-1"], clocks.LEASE * 4)


def restarted(scene: Scene) -> None:
    """As a new version is rolled out: SIGTERM to one program after the other, then Ctrl-C and a start of all."""
    for program in ("worker-1", "web", "maintain"):
        scene.under_load(40)
        scene.product.kill(program, signal.SIGTERM)
    scene.under_load(40)
    scene.product.instance.stop()
    scene.product.instance.start()


def everything(scene: Scene) -> None:
    scene.under_load()
    scene.in_mid_batch()
    scene.product.kill_everything()


def poison(scene: Scene) -> None:
    """The events of `rare` end their workers, or never end, in a stream of good ones."""
    scene.under_load(300)
    scene.load.pause()
    wait_until(scene.product.settled, seconds=DEADLINE, what="the end of the deadly events")
    scene.load.go_on()


def storm(scene: Scene) -> None:
    """Everything that can be killed or held up, once each, in an order of chance, and nothing is waited for."""
    product = scene.product
    blows: list[Callable[[], None]] = [
        *(partial(product.strike, program) for program in ("worker-1", "worker-2", "web", "maintain", "valkey")),
        lambda: held(product.valkey_pid, 1),
        lambda: without_database(scene, 1),
    ]
    scene.rng.shuffle(blows)
    scene.under_load()
    for blow in blows:
        blow()
        scene.last(scene.rng.uniform(0, 1))
    product.wait_for_all()
