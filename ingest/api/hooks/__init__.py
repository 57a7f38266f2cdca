"""Vendors' webhooks as they are: an adapter for each, a pure function from its alert to what it says in our words.

A further vendor is one module with a HOOK, and its line below.
"""

from typing import Final

from ingest.api.hooks import (
    alertmanager,
    azure,
    checkly,
    checkmk,
    cloudwatch,
    datadog,
    gcp,
    generic,
    grafana,
    nagios,
    newrelic,
    opsgenie,
    pagerduty,
    sentry,
    zabbix,
)
from ingest.api.hooks.hook import Hook
from ingest.api.hooks.reading import Found, Written, read

__all__ = ["ENQUEUED", "HOOKS", "POSTED", "Found", "Hook", "Written", "read"]

#: By vendor, as in `/api/v1/hooks/{vendor}`.
HOOKS: Final[dict[str, Hook]] = {
    each.vendor: each
    for each in (
        alertmanager.HOOK,
        grafana.HOOK,
        datadog.HOOK,
        cloudwatch.HOOK,
        pagerduty.HOOK,
        opsgenie.HOOK,
        zabbix.HOOK,
        sentry.HOOK,
        newrelic.HOOK,
        gcp.HOOK,
        azure.HOOK,
        nagios.HOOK,
        nagios.ICINGA,
        checkmk.HOOK,
        checkly.HOOK,
        generic.HOOK,
    )
}
#: What Prometheus posts to an Alertmanager, and what clients of PagerDuty's Events API v2 post to it.
POSTED: Final = alertmanager.POSTED
ENQUEUED: Final = pagerduty.ENQUEUED
