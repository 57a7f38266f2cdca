"""What a callback may be, and how a URL is read."""

from typing import Any

import pytest

from ingest.callbacks import CallbackRefused, targets
from ingest.callbacks.targets import Target, read_url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.example.org", Target("https", "hooks.example.org", 443, "/")),
        ("http://Hooks.Example.org/a/b?x=1&y=%20#part", Target("http", "hooks.example.org", 80, "/a/b?x=1&y=%20")),
        ("https://192.0.2.1:8443?x", Target("https", "192.0.2.1", 8443, "/?x")),
        ("https://[2606:4700::1]:8443/", Target("https", "2606:4700::1", 8443, "/")),
        ("https://a_b-c.example.org./", Target("https", "a_b-c.example.org.", 443, "/")),
        ("https://xn--bcher-kva.example/", Target("https", "xn--bcher-kva.example", 443, "/")),
    ],
)
def test_a_url_is_read_into_its_parts(url: str, target: Target) -> None:
    assert read_url(url) == target


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://hooks.example.org/", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "http or https"),
        ("hooks.example.org", "http or https"),
        ("//hooks.example.org/", "http or https"),
        ("https:///x", "http or https"),
        ("https://hooks.example.org:port/", "http or https"),
        ("https://hooks.example.org:70000/", "http or https"),
        ("https://[::1", "http or https"),
        ("https://hooks.example.org:0/", "port 0"),
        ("https://user:password@hooks.example.org/", "user name or password"),
        ("https://user@hooks.example.org/", "user name or password"),
        ("https://@hooks.example.org/", "user name or password"),
        ("https://bücher.example/", "plain ASCII"),
        ("https://①②⑦.⓪.⓪.①/", "plain ASCII"),
        ("https://hooks.example.org\\@127.0.0.1/", "plain ASCII"),
        ("https://hooks.example.org/ x", "plain ASCII"),
        ("https://hooks.example.org/\r\nHost: x", "plain ASCII"),
        ("https://hooks.exa\tmple.org/", "plain ASCII"),
        ("https://hooks..example.org/", "no name"),
        ("https://-hooks.example.org/", "no name"),
        ("https://" + "a" * 64 + ".org/", "no name"),
        ("https://127.1/", "no plain IP address"),
        ("https://2130706433/", "no plain IP address"),
        ("https://0x7f000001/", "no plain IP address"),
        ("https://0x7f.0.0.1/", "no plain IP address"),
        ("https://0177.0.0.1/", "no plain IP address"),
        ("https://127.0.0.0x1/", "no plain IP address"),
        ("https://127.0.0.1./", "no plain IP address"),
        ("https://[fe80::1%25eth0]/", "no plain IP address"),
        ("https://%31%32%37.0.0.1/", "no plain IP address"),
        ("https://" + "a" * 2_048, "2,048"),
    ],
)
def test_what_is_no_plain_url_is_refused(url: str, why: str) -> None:
    """S9: what one reader of URLs takes for one host and another for another never gets as far as a request."""
    with pytest.raises(CallbackRefused, match=why):
        read_url(url)


def test_in_production_only_https_is_called(settings: Any) -> None:
    settings.PROD = True
    read_url("https://hooks.example.org/")
    with pytest.raises(CallbackRefused, match="https address while PROD"):
        read_url("http://hooks.example.org/")


def test_code_may_name_functions_of_the_allow_list_only(settings: Any) -> None:
    settings.CALLBACKS = ("shop.orders.told",)
    targets.check("shop.orders.told")
    targets.check("https://hooks.example.org/")
    for callback in ("os.system", "shop.orders", "shop.orders.told.x", "hooks.example.org", "os:system", ""):
        with pytest.raises(CallbackRefused):
            targets.check(callback)


def test_an_address_that_is_not_public_is_refused_at_once(settings: Any) -> None:
    """A name is judged when it is called: who owns it may change it until then."""
    for url in ("https://10.0.0.1/", "https://[::1]/", "https://8.8.8.8:6379/"):
        with pytest.raises(CallbackRefused, match="public web server"):
            targets.check_url(url)
    targets.check_url("https://8.8.8.8/")
    targets.check_url("https://localhost/")
    settings.CALLBACK_ALLOW_NETWORKS = ["10.0.0.0/8"]
    targets.check_url("https://10.0.0.1:9000/")


def test_what_is_shown_holds_neither_path_nor_query() -> None:
    assert read_url("https://[2606:4700::1]/secret?token=secret").shown == "https://[2606:4700::1]:443"
