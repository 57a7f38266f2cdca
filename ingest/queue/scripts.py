"""How the scripts are run: by their digests, and several sent together where that is faster."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import redis
from redis.exceptions import NoScriptError

from ingest.queue import batching, keys
from ingest.queue.calls import Call

FOLDER: Final = Path(__file__).parent / "lua"
_NAMES: Final = (
    *("enqueue", "claim", "renew", "complete", "fail", "release", "recover", "promote", "progress"),
    *("requeue", "run_now", "discard", "restore", "purge", "cancel", "stop", "move", "empty", "give_back"),
    *("sweep", "pause", "resume", "update", "forget", "heal", "end_turns", "where", "mark"),
)
#: Calls that are sent together: Redis flushes its log to the disk once for all of them, which takes several times as
#: long as a call (1 to 2 ms for 100 jobs), and nobody else waits for longer than some 6 ms.
_TOGETHER: Final = 4


@cache
def source(name: str) -> str:
    return (FOLDER / "prelude.lua").read_text() + (FOLDER / f"{name}.lua").read_text()


class Scripts:
    """All of them over a `redis.Redis` that returns bytes. Raises redis.RedisError as it comes."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection = connection
        self._scripts = {name: connection.register_script(source(name)) for name in _NAMES}

    def _each(
        self,
        ids: Iterable[str],
        request_id: str | None,
        call: Callable[[Sequence[str], str], Call],
        *,
        size: int = batching.OPERATORS_CHUNK,
    ) -> list[str]:
        """One call a chunk, some of them sent together; the ids that the replies name."""
        moved: list[str] = []
        made = [call(chunk, request) for chunk, request in batching.parts(batching.chunks(ids, size), request_id)]
        for together in batching.chunks(made, _TOGETHER):
            for reply in [self._run(together[0])] if len(together) == 1 else self._run_all(together):
                moved += (job_id.decode() for job_id in reply)
        return moved

    def _run_all(self, together: Sequence[Call]) -> list[Any]:
        """The reply of each."""
        pipe = self._connection.pipeline(transaction=False)
        for call in together:
            pipe.evalsha(self._scripts[call.script].sha, 1, keys.PREFIX, *call.args)
        try:
            return pipe.execute()
        except NoScriptError:
            # Redis was started anew; those that ran answer as they did.
            return [self._run(call) for call in together]

    def _run(self, call: Call) -> Any:
        return self._scripts[call.script](keys=[keys.PREFIX], args=call.args)
