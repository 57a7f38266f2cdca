"""SCRIPT_NAME: everything under a path of a host that serves others too.

The proxy before it hands paths on as they are. One without the prefix is ours as well: probes and senders on this
machine need not know of it, and a proxy may cut it off as long as no path of ours begins like it, as /queues does.
Whatever lies further in finds what ASGI promises: `path` with the prefix, `root_path` the prefix.
"""

from typing import Any


class SubPath:
    """ASGI application: the inner one under `prefix`, such as /queues; with "" as it is."""

    def __init__(self, inner: Any, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] in ("http", "websocket"):
            # Always said: Daphne believes a header Daphne-Root-Path, whoever sends it.
            scope = {**scope, "root_path": self._prefix, "path": self._full(scope["path"])}
        return await self._inner(scope, receive, send)

    def _full(self, path: str) -> str:
        has_it = path == self._prefix or path.startswith(f"{self._prefix}/")
        return path if has_it else self._prefix + path
