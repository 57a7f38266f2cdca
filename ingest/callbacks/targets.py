"""What a callback may be: a URL, or the dotted path of a function that the settings allow.

A job's callback is text in Redis, which anybody who may write there can change; so it is read here again
before it is used, by the same rules as at acceptance. Nothing else reads URLs: what was checked is what is called.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from ingest.callbacks import CallbackRefused, addresses

#: Characters of a callback.
LENGTH: Final = 2_048

_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
#: RFC 3986's characters. Backslashes, blanks and others have been read differently by two readers of URLs before.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_LABEL: Final = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in the parts that a request needs."""

    scheme: str
    #: A name or an IP address, without brackets.
    host: str
    port: int
    #: Path and query, as they are sent.
    path: str

    @property
    def shown(self) -> str:
        """For logs and errors: paths and queries hold secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def is_function(callback: str) -> bool:
    """Whether this is a dotted path, allowed or not; else it can only be a URL."""
    return _DOTTED.fullmatch(callback) is not None


def check(callback: str) -> None:
    """Raises CallbackRefused for what code of ours must not give as a callback; the message goes after its name."""
    if not is_function(callback):
        check_url(callback)
    elif callback not in settings.CALLBACKS:
        raise CallbackRefused("names a function that is not in CALLBACKS")


def check_url(url: str) -> None:
    """Raises CallbackRefused for what a sender must not give. Where a name leads is seen when it is called."""
    target = read_url(url)
    if addresses.is_address(target.host) and not addresses.is_allowed(target.host, target.port):
        raise CallbackRefused("must name a public web server; this one is not, and not in CALLBACK_ALLOW_NETWORKS")


def read_url(url: str) -> Target:
    """The parts of a URL. Raises CallbackRefused; the message goes after the name of the field."""
    if len(url) > LENGTH:
        raise CallbackRefused(f"may have {LENGTH:,} characters, not {len(url):,}")
    if not _PLAIN.fullmatch(url):
        raise CallbackRefused("must be an http or https address in plain ASCII: other characters as %XX, names as xn--")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise CallbackRefused("must be an http or https address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CallbackRefused("must be an http or https address")
    if settings.PROD and parts.scheme != "https":
        raise CallbackRefused("must be an https address while PROD is true")
    if "@" in parts.netloc:
        raise CallbackRefused("must not hold a user name or password")
    if port == 0:
        raise CallbackRefused("must not name port 0")
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    port = port or (443 if parts.scheme == "https" else 80)
    return Target(parts.scheme, _host(parts.netloc, parts.hostname), port, path)


def _host(netloc: str, host: str) -> str:
    """A name, or an address in its one plain form. Raises CallbackRefused."""
    try:
        if "%" in host:
            raise ValueError
        if "[" in netloc:
            return str(ipaddress.IPv6Address(host))
        # Whatever ends in a number is an address to some reader: 127.1, 0x7f.0.0.1 and 2130706433 are 127.0.0.1.
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise CallbackRefused("has a host that is no plain IP address") from None
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise CallbackRefused("has a host that is no name")
    return host
