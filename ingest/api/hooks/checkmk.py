"""Checkmk's notification context, sent by the notification script of docs/vendors.md.

https://docs.checkmk.com/latest/en/notifications.html#scripts
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report
from ingest.api.hooks.nagios import ACTIONS


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report | None:
    """Names as in the script's environment, with NOTIFY_ or without."""
    body = {name.upper().removeprefix("NOTIFY_"): value for name, value in body.items()}
    kind = values.needed(body.get("NOTIFICATIONTYPE"), "NOTIFICATIONTYPE").split(" ")[0]
    action: Action | None = values.word(kind, "NOTIFICATIONTYPE", ACTIONS)
    if action is None:
        return None
    host = values.needed(body.get("HOSTNAME"), "HOSTNAME")
    of_service = values.first(body.get("WHAT")).upper() != "HOST" and bool(values.first(body.get("SERVICEDESC")))
    service = values.first(body.get("SERVICEDESC")) if of_service else ""
    of = "SERVICE" if of_service else "HOST"
    state = values.first(body.get(f"{of}STATE"), body.get(f"{of}SHORTSTATE"))
    output = values.first(body.get(f"{of}OUTPUT"))
    named = f"{host} / {service}" if service else host
    problem = values.first(body.get(f"{of}PROBLEMID"))
    at = values.first(body.get("MICROTIME"), body.get("SHORTDATETIME"))
    return Report(
        title=f"{named} is {state}: {output}" if output else f"{named} is {state}",
        action=action,
        severity={"CRIT": "CRITICAL", "WARN": "WARNING", "UNKN": "UNKNOWN", "UNREACH": "UNREACHABLE"}.get(state, state),
        key=named,
        start=at,
        status=f"{kind} {state} {problem}",
        at=_seconds(body.get("MICROTIME")),
        labels=values.plain(
            host=host,
            service=service,
            address=body.get("HOSTADDRESS"),
            site=body.get("OMD_SITE"),
            contact=body.get("CONTACTNAME"),
        ),
        scale="nagios_service" if of_service else "nagios_host",
    )


def _seconds(microtime: Any) -> Any:
    """MICROTIME is Unix time in microseconds."""
    found = values.first(microtime)
    return int(found) // 1_000_000 if found.isdecimal() and 15 < len(found) < 18 else None


HOOK: Final = Hook("checkmk", read)
