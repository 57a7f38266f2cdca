"""How each sender is told to send here, out of docs/vendors.md: one text for the page and for the docs' readers."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from ingest.api.intake import ENQUEUE, EVENTS, HOOKS_PATH, POSTED
from queueadmin.console.snippets import Snippet, snippets

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs" / "vendors.md"
#: What stands in the docs for the reader's own.
_HOST: Final = "127.0.0.1:8000"
_KEY: Final = re.compile(r"\bKEY\b")
_BLOCK: Final = re.compile(r"```(\w+)\n(.*?)```\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who sends; `section` is the docs' title, "" for senders without a vendor."""

    id: str
    name: str
    says: str
    path: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What to do there, in paragraphs of (is code, text), and what to copy."""

    paragraphs: tuple[tuple[tuple[bool, str], ...], ...]
    snippets: tuple[Snippet, ...]


def _hook(vendor: str, name: str, says: str, section: str = "") -> Vendor:
    return Vendor(vendor, name, says, f"{HOOKS_PATH}{vendor}", section or name)


VENDORS: Final = (
    Vendor("events", "Programs of your own", "JSON, NDJSON or CloudEvents", EVENTS.path),
    _hook("alertmanager", "Alertmanager", "its webhook"),
    Vendor("prometheus", "Prometheus", "without an Alertmanager", POSTED.path, "Prometheus without an Alertmanager"),
    _hook("grafana", "Grafana", "a contact point"),
    _hook("datadog", "Datadog", "a webhook"),
    _hook("cloudwatch", "CloudWatch", "alarms through SNS"),
    Vendor(
        "pagerduty-events",
        "PagerDuty's clients",
        "Events API v2, their URL changed",
        ENQUEUE.path,
        "PagerDuty's clients",
    ),
    _hook("pagerduty", "PagerDuty", "its webhooks", "PagerDuty's webhooks"),
    _hook("opsgenie", "Opsgenie", "a webhook"),
    _hook("zabbix", "Zabbix", "a media type"),
    _hook("sentry", "Sentry", "an integration"),
    _hook("newrelic", "New Relic", "a webhook"),
    _hook("gcp", "Google Cloud", "a notification channel", "Google Cloud"),
    _hook("azure", "Azure", "an action group"),
    _hook("nagios", "Nagios", "a command"),
    _hook("icinga", "Icinga", "a command"),
    _hook("checkmk", "Checkmk", "a notification script"),
    _hook("checkly", "Checkly", "an alert channel"),
    _hook("generic", "Another vendor", "any JSON or form; its fields can be mapped", "Anything else"),
)
BY_ID: Final = {vendor.id: vendor for vendor in VENDORS}


def set_up(vendor: Vendor, base: str, secret: str) -> SetUp:
    """With this instance's address, such as `https://alerts.example.org`, and a key's secret: it needs no quoting."""
    if not vendor.section:
        return SetUp((), snippets(f"{base}{vendor.path}", secret))
    text = _KEY.sub(
        secret, _section(vendor.section).replace(f"http://{_HOST}", base).replace(_HOST, base.partition("://")[2])
    )
    blocks = tuple(
        Snippet(f"snippet-{number}", language, block.rstrip("\n"))
        for number, (language, block) in enumerate(_BLOCK.findall(text), 1)
    )
    prose = (part.strip() for part in _BLOCK.sub("\n", text).split("\n\n"))
    return SetUp(tuple(_spans(part) for part in prose if part and not part.startswith("|")), blocks)


@cache
def _section(title: str) -> str:
    return _DOCS.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def _spans(text: str) -> tuple[tuple[bool, str], ...]:
    """A paragraph of Markdown: what stands between backticks is code; other marks are left out."""
    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text.replace("*", ""))
    return tuple((place % 2 == 1, span) for place, span in enumerate(plain.split("`")) if span)
