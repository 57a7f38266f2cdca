"""Alertmanager's webhook, version 4, and what Prometheus posts to an Alertmanager's API.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

_ACTIONS: Final[dict[str, Action]] = {"firing": "trigger", "resolved": "resolve"}


def read_alert(alert: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    """One alert of a group, of Alertmanager's or of Grafana's, which speaks the same."""
    status = values.text(alert.get("status"), "status") or values.first(group.get("status"))
    action: Action = values.word(status, "status", _ACTIONS)
    at = alert.get("endsAt") if action == "resolve" else alert.get("startsAt")
    start = values.text(alert.get("startsAt"), "startsAt")
    return _report(alert, action, start, at, values.text(alert.get("fingerprint"), "fingerprint"))


def read_posted(alert: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    """One alert as Prometheus posts it: it is resolved once its end has passed."""
    end = values.time(alert.get("endsAt"))
    over = end is not None and datetime(1970, 1, 1, tzinfo=UTC) < end <= datetime.now(UTC)
    start = values.text(alert.get("startsAt"), "startsAt")
    return _report(alert, "resolve" if over else "trigger", start, alert["endsAt"] if over else start, "")


def _report(alert: Mapping[str, Any], action: Action, start: str, at: Any, fingerprint: str) -> Report:
    labels = values.mapping(alert.get("labels"), "labels")
    annotations = values.mapping(alert.get("annotations"), "annotations")
    if not fingerprint and labels:
        fingerprint = hashlib.sha256(msgspec.json.encode(labels, order="deterministic")).hexdigest()[:32]
    return Report(
        title=values.first(annotations.get("summary"), annotations.get("title"), labels.get("alertname")),
        action=action,
        severity=values.level(labels.get("severity"), labels.get("priority"), labels.get("level")),
        key=fingerprint,
        start=start,
        status=action,
        at=at,
        labels=labels,
    )


#: What a group says of itself; its common labels and annotations stand in each alert as well.
GROUP: Final = ("version", "receiver", "status", "groupKey", "groupLabels", "externalURL", "truncatedAlerts")

HOOK: Final = Hook("alertmanager", read_alert, each="alerts", beside=GROUP)
#: Behind `/api/v2/alerts`.
POSTED: Final = Hook("prometheus", read_posted, arrays=True)
