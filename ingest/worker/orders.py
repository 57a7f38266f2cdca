"""What an operator tells a worker: to drain, to go on, to end after what it holds.

It is told over the channel of RQ's own commands, so it is heard at once and nobody asks. Who does not listen at
that moment finds it at the next beat: it also stands under a key of the worker's own, until it is obeyed or taken back.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import redis

from ingest.queue import keys

#: `drain`: claim nothing, until `resume`. `restart`: finish what is claimed and end, for the supervisor to start anew.
COMMANDS: Final = ("drain", "resume", "restart")
#: Seconds for which an order outlives its worker: one that Redis does not reach for long still finds it.
KEPT: Final = 86_400


class Orders:
    """Of one worker. `hear` is called by threads, the rest is read by the loop."""

    def __init__(self, worker: str, on_restart: Callable[[], None]) -> None:
        self._worker = worker
        self._on_restart = on_restart
        #: "", "drain" or "restart".
        self.standing = ""

    @property
    def drained(self) -> bool:
        return self.standing == "drain"

    def hear(self, command: str) -> None:
        """Obey a command."""
        standing = "" if command == "resume" else command
        if standing == self.standing or self.standing == "restart":
            return
        self.standing = standing
        if standing == "restart":
            self._on_restart()

    def tell(self, connection: redis.Redis) -> None:
        """Say at once what is obeyed now; else the next beat does."""
        with suppress(redis.RedisError):
            connection.hset(keys.worker(self._worker), "order", self.standing)

    def ask(self, pipeline: Any) -> None:
        """Ask what stands under the key, as the last of the pipeline's commands."""
        pipeline.expire(keys.order(self._worker), KEPT)
        pipeline.get(keys.order(self._worker))

    def look(self, answer: bytes | None) -> None:
        """Obey what `ask` was answered."""
        word = answer.decode() if answer else "resume"
        if word in COMMANDS:
            self.hear(word)

    def forget(self, connection: redis.Redis) -> None:
        """A worker that begins has no orders: these were for the one of its name before."""
        connection.delete(keys.order(self._worker))
