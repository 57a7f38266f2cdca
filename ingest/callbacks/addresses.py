"""Which machines a callback may reach: public ones, and those of CALLBACK_ALLOW_NETWORKS.

A URL comes from outside, while we stand inside: without this, a sender could have us call what only we can
reach (SSRF). Names are judged by what they resolve to, once, and the connection goes to that very address.
"""

import ipaddress
import socket
from typing import Final

from django.conf import settings

from ingest.callbacks import CallbackFailed, CallbackRefused

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: IANA's special-purpose registry, and 168.63.129.16: Azure's metadata service, on a public address.
_REFUSED_V4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
#: The one block that IPv6 gives out, without what carries IPv4 inside (Teredo, 6to4) or is for examples. IPv4-mapped
#: and NAT64 addresses, loopback, link-local and unique local ones are outside of it.
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
#: What web servers listen on. Elsewhere our POST may mean something to a server of another protocol.
PORTS: Final = frozenset({80, 443, 8080, 8443})


def is_address(host: str) -> bool:
    """Whether this is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_allowed(address: str, port: int) -> bool:
    """Whether a callback may go to this address, written as an IP address, at this port."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(ip in ipaddress.ip_network(network, strict=False) for network in settings.CALLBACK_ALLOW_NETWORKS):
        return True
    return port in PORTS and _is_public(ip)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, asked for once.

    Raises CallbackRefused when any is not allowed, CallbackFailed when there is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CallbackFailed(f"{host} cannot be resolved: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise CallbackFailed(f"{host} has no address")
    # One of several is enough to refuse: which one is used is then no matter of chance.
    for address in addresses:
        if not is_allowed(address, port):
            shown = host if host == address else f"{host} ({address})"
            raise CallbackRefused(
                f"{shown} at port {port} is not a public web server, and not in CALLBACK_ALLOW_NETWORKS either"
            )
    return addresses


def _is_public(ip: _Address) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _REFUSED_V4)
    return ip in _PUBLIC_V6 and not any(ip in network for network in _REFUSED_V6)
