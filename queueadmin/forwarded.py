"""Who a request came from, when a proxy brought it: what a trusted one says in X-Forwarded-For and X-Forwarded-Proto.

Written here: Daphne's own `--proxy-headers` believes everybody, and the servers that ask who says it are not ours.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any

from django.utils.functional import cached_property

_SECURE = {"http": "https", "ws": "wss"}


class Forwarded:
    """Puts the client's address, and https where the client speaks it, into the scope of what comes from a proxy.

    The list is read from its end: each trusted proxy wrote down whom it was asked by, and the first that is no trusted
    proxy is the client. What stands before it may be anybody's invention, and so may all of it from any other peer.
    The headers stay: what needs no key never came through a proxy (contract 2).
    """

    def __init__(self, inner: Any, proxies: Iterable[str]) -> None:
        self._inner = inner
        self._proxies = proxies

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        peer = scope.get("client")
        if self._networks and peer and self._trusts(peer[0]):
            scope = self._as_sent(scope)
        return await self._inner(scope, receive, send)

    @cached_property
    def _networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        # At the first request: a wrong one is refused at the start with a sentence (ingest.E004).
        return [ipaddress.ip_network(each, strict=False) for each in self._proxies]

    def _trusts(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)

    def _as_sent(self, scope: Any) -> Any:
        changed = {}
        hops = _listed(scope, b"x-forwarded-for")
        while hops:
            address = _address(hops.pop())
            if address is None:  # "unknown", or nonsense: nobody before it can be believed
                break
            changed["client"] = (str(address), 0)
            if not self._trusts(str(address)):
                break
        if _listed(scope, b"x-forwarded-proto")[-1:] == ["https"]:
            changed["scheme"] = _SECURE.get(scope.get("scheme"), scope.get("scheme"))
        return {**scope, **changed}


def _listed(scope: Any, wanted: bytes) -> list[str]:
    """What all headers of this name list, in their order."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
    return [part.strip() for part in ",".join(values).split(",") if part.strip()]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, of which a port is no part: some proxies write 192.0.2.1:4711 or [2001:db8::1]:4711."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
