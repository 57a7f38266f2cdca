"""Checkly's webhook, whose body is a template of the user's; docs/vendors.md has the one that is read here.

https://www.checklyhq.com/docs/integrations/alerts/webhooks/
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

#: By ALERT_TYPE. What reminds of a certificate's end is a problem as well.
_TYPES: Final[dict[str, Action]] = {
    "alert_failure": "trigger",
    "alert_failure_remain": "trigger",
    "alert_failure_degraded": "trigger",
    "alert_degraded": "trigger",
    "alert_degraded_remain": "trigger",
    "alert_degraded_failure": "trigger",
    "alert_ssl": "trigger",
    "alert_recovery": "resolve",
    "alert_degraded_recovery": "resolve",
    "no_alert": "resolve",
}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    """Names as Checkly's variables, in any case."""
    body = {name.upper(): value for name, value in body.items()}
    kind = values.needed(body.get("ALERT_TYPE"), "ALERT_TYPE")
    action: Action = values.word(kind, "ALERT_TYPE", _TYPES)
    at = values.first(body.get("STARTED_AT"))
    run = values.first(body.get("CHECK_RESULT_ID"))
    return Report(
        title=values.first(body.get("ALERT_TITLE"), body.get("CHECK_NAME")),
        action=action,
        severity=kind,
        key=values.needed(body.get("CHECK_ID"), "CHECK_ID"),
        # Each run has an id of its own.
        start=run or at,
        status=f"{kind} {values.first(body.get('RUN_LOCATION'))}",
        at=at,
        labels=values.plain(
            check=body.get("CHECK_NAME"),
            type=body.get("CHECK_TYPE"),
            group=body.get("GROUP_NAME"),
            location=body.get("RUN_LOCATION"),
            error=body.get("CHECK_ERROR_MESSAGE"),
            url=body.get("RESULT_LINK"),
        ),
    )


HOOK: Final = Hook("checkly", read)
