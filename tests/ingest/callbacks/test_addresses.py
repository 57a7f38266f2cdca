"""S9: which machines a callback may reach."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from ingest.callbacks import CallbackFailed, CallbackRefused, addresses


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "no address",
        "",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not addresses.is_allowed(address, 443)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "223.255.255.255", "2606:4700::1111"])
def test_public_addresses_are_allowed_at_the_ports_of_the_web(address: str) -> None:
    assert all(addresses.is_allowed(address, port) for port in (80, 443, 8080, 8443))
    assert not any(addresses.is_allowed(address, port) for port in (22, 25, 6379, 11211, 9000))


def test_networks_that_are_allowed_are_so_at_every_port(settings: Any) -> None:
    settings.CALLBACK_ALLOW_NETWORKS = ["10.1.0.0/16", "::1"]
    assert addresses.is_allowed("10.1.2.3", 9000)
    assert addresses.is_allowed("::1", 9000)
    assert not addresses.is_allowed("10.2.0.1", 443)
    assert not addresses.is_allowed("::ffff:10.1.2.3", 443)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "localhost", "::ffff:127.0.0.1"]
)
def test_what_the_system_takes_for_loopback_is_refused(host: str) -> None:
    """Behind `targets`, which refuses most of these before: the system's own reading decides here."""
    with pytest.raises((CallbackRefused, CallbackFailed)):
        addresses.resolve(host, 443)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, list[str]]], None]:
    def set_names(known: dict[str, list[str]]) -> None:
        def getaddrinfo(host: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
            if host not in known:
                raise socket.gaierror(-2, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return set_names


def test_a_name_is_judged_by_all_its_addresses(names: Callable[[dict[str, list[str]]], None]) -> None:
    names(
        {
            "good.example": ["8.8.8.8", "8.8.4.4", "8.8.8.8"],
            "mixed.example": ["8.8.8.8", "127.0.0.1"],
            "inside.example": ["10.0.0.1"],
            "empty.example": [],
        }
    )
    assert addresses.resolve("good.example", 443) == ["8.8.8.8", "8.8.4.4"]
    with pytest.raises(CallbackRefused, match=r"mixed.example \(127.0.0.1\) at port 443 is not a public web server"):
        addresses.resolve("mixed.example", 443)
    with pytest.raises(CallbackRefused):
        addresses.resolve("inside.example", 443)
    with pytest.raises(CallbackFailed, match="cannot be resolved"):
        addresses.resolve("nobody.example", 443)
    with pytest.raises(CallbackFailed, match="has no address"):
        addresses.resolve("empty.example", 443)
