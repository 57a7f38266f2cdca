"""System checks: what the settings mean together.

A single wrong value already stops the start in settings.py. Errors stop `make run`; warnings are
shown by it and by `manage.py check`.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.http.request import validate_host
from rq.defaults import RQ_KEY_PREFIX

from ingest.callbacks import signature
from ingest.kinds import KINDS

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@register
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every check below, in the order of their ids."""
    return [
        *_debug_is_off_in_production(),
        *_public_url_is_an_address(),
        *_proxies_are_addresses(),
        *_key_prefix_is_usable(),
        *_callback_networks_are_addresses(),
        *_callback_secrets_are_keys(),
        *_others_are_let_in(),
        *_others_cannot_listen_in(),
        *_public_url_is_allowed(),
        *_wait_targets_rise(),
        *_kept_kinds_are_known(),
        *_public_url_has_the_script_name(),
    ]


def _debug_is_off_in_production() -> list[CheckMessage]:
    if not (settings.PROD and settings.DEBUG):
        return []
    return [Error("DEBUG must be off when PROD is true: its pages show settings and code.", id="ingest.E002")]


def _public_url_is_an_address() -> list[CheckMessage]:
    url = urlsplit(settings.PUBLIC_URL)
    if not settings.PUBLIC_URL or (url.scheme in {"http", "https"} and url.hostname and not url.query):
        return []
    return [
        Error(f"PUBLIC_URL must look like https://queue.example.org, not {settings.PUBLIC_URL!r}.", id="ingest.E003")
    ]


def _proxies_are_addresses() -> list[CheckMessage]:
    wrong = []
    for proxy in settings.TRUSTED_PROXIES:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            wrong.append(proxy)
    return [
        Error(f"TRUSTED_PROXIES must hold addresses or networks like 10.0.0.0/8, not {proxy!r}.", id="ingest.E004")
        for proxy in wrong
    ]


def _key_prefix_is_usable() -> list[CheckMessage]:
    # RQ reads the variable itself; blanks and braces would break `rq info` and hash tags.
    if RQ_KEY_PREFIX and not set(RQ_KEY_PREFIX) & set(" \t\n{}*?[]"):
        return []
    return [Error(f"RQ_KEY_PREFIX must be a plain word, not {RQ_KEY_PREFIX!r}.", id="ingest.E005")]


def _callback_networks_are_addresses() -> list[CheckMessage]:
    return [
        Error(
            f"CALLBACK_ALLOW_NETWORKS must hold addresses or networks like 10.0.0.0/8, not {network!r}.",
            id="ingest.E006",
        )
        for network in settings.CALLBACK_ALLOW_NETWORKS
        if not _is_network(network)
    ]


def _callback_secrets_are_keys() -> list[CheckMessage]:
    wrong: list[CheckMessage] = []
    for secret in settings.CALLBACK_SECRET:
        try:
            signature.key_of(secret)
        except ValueError as error:
            # Never the value itself.
            wrong.append(Error(f"CALLBACK_SECRET must look like whsec_<base64>; one {error}.", id="ingest.E007"))
    return wrong


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _others_are_let_in() -> list[CheckMessage]:
    if is_loopback(settings.HOST) or set(settings.ALLOWED_HOSTS) - _LOOPBACK_NAMES:
        return []
    return [
        Warning(
            f"HOST is {settings.HOST}, but ALLOWED_HOSTS names this machine only, so every request from elsewhere"
            " gets a 400; set ALLOWED_HOSTS to the names that clients use.",
            id="ingest.W001",
        )
    ]


def _others_cannot_listen_in() -> list[CheckMessage]:
    if settings.PROD or is_loopback(settings.HOST):
        return []
    return [
        Warning(
            f"HOST is {settings.HOST} without PROD=true: passwords and keys travel unencrypted, and sessions too.",
            id="ingest.W002",
        )
    ]


def _public_url_is_allowed() -> list[CheckMessage]:
    host = urlsplit(settings.PUBLIC_URL).hostname
    if not host or validate_host(host, settings.ALLOWED_HOSTS):
        return []
    return [Warning(f"PUBLIC_URL's host {host} is not in ALLOWED_HOSTS.", id="ingest.W003")]


def _wait_targets_rise() -> list[CheckMessage]:
    targets = list(settings.WAIT_TARGETS.values())
    if targets == sorted(targets):
        return []
    shown = ", ".join(f"{name} {seconds} s" for name, seconds in settings.WAIT_TARGETS.items())
    return [Warning(f"WAIT_TARGET_<PRIORITY> should rise from critical to low, not: {shown}.", id="ingest.W004")]


def _kept_kinds_are_known() -> list[CheckMessage]:
    known = {name.replace("-", "_") for name in KINDS}
    return [
        Warning(
            f"RETENTION_DAYS_{name.upper()} names no kind; there are {', '.join(sorted(known))}.",
            id="ingest.W005",
        )
        for name in settings.RETENTION_DAYS
        if name not in known
    ]


def _public_url_has_the_script_name() -> list[CheckMessage]:
    url = urlsplit(settings.PUBLIC_URL)
    path = url.path.rstrip("/")
    if not url.hostname or path == settings.SCRIPT_NAME:
        return []
    return [
        Warning(
            f"PUBLIC_URL's path is {path or '/'}, while SCRIPT_NAME is {settings.SCRIPT_NAME or 'not set'}: they"
            " are the same path.",
            id="ingest.W006",
        )
    ]
