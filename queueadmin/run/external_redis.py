"""A Redis that somebody else runs: is it there, can it hold the queue, is it safe?"""

from collections.abc import Callable
from typing import Final

import redis

from ingest.queue.connections import RedisUnavailable, close_connections, wait_for_redis
from ingest.queue.settings_check import unsafe
from queueadmin.run.errors import CannotStart

#: Findings with which nothing works; with the others it works, and may lose what was accepted.
_IMPOSSIBLE: Final = frozenset({"cluster", "version"})


def check_external_redis(*, on_wait: Callable[[str], None]) -> list[str]:
    """Wait for it as long as a start may, and return what is unsafe about it, a sentence each.

    `on_wait` is told before each wait. Raises CannotStart when it does not answer or cannot serve.
    """
    try:
        findings = unsafe(wait_for_redis(on_wait=on_wait))
    except (RedisUnavailable, redis.RedisError) as error:
        raise CannotStart(str(error)) from None
    finally:
        close_connections()
    for finding in findings:
        if finding.code in _IMPOSSIBLE:
            raise CannotStart(finding.sentence)
    return [finding.sentence for finding in findings]
