"""A request's id, and its one line in the log."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import uuid_utils

logger = logging.getLogger(__name__)

_USABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class Visit:
    """What the log says about one request."""

    method: str
    path: str
    peer: str
    #: The sender's X-Request-Id when it is usable, else a new one; the answer carries it.
    request_id: str
    sender: str = "-"
    events: int = 0
    _started: float = field(default_factory=perf_counter)

    def log(self, status: int) -> None:
        logger.info(
            "%s %s %s %d %d events by %s in %.1f ms, request %s",
            self.peer,
            self.method,
            self.path,
            status,
            self.events,
            self.sender,
            (perf_counter() - self._started) * 1000,
            self.request_id,
        )


def visit(method: str, path: str, peer: str | None, headers: Mapping[str, str]) -> Visit:
    """`headers` by lower-case name; `path` without its query, which may hold a key."""
    given = headers.get("x-request-id", "")
    request_id = given if _USABLE_ID.fullmatch(given) else uuid_utils.uuid7().hex
    return Visit(method, path, peer or "-", request_id)
