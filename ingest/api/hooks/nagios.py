"""Nagios and Icinga: macros of a notification, sent by the command of docs/vendors.md, as a form or as JSON.

https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html
https://icinga.com/docs/icinga-2/latest/doc/03-monitoring-basics/#notifications
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

#: By NOTIFICATIONTYPE; flapping, downtimes and Checkmk's alert handlers say nothing about the problem.
ACTIONS: Final[dict[str, Action | None]] = {
    "problem": "trigger",
    "custom": "trigger",
    "recovery": "resolve",
    "acknowledgement": "acknowledge",
    **dict.fromkeys(("flappingstart", "flappingstop", "flappingend", "flappingdisabled")),
    **dict.fromkeys(("downtimestart", "downtimeend", "downtimestop", "downtimecancelled", "downtimeremoved")),
    "alerthandler": None,
}
#: States of a host; all others are a service's.
_HOST_STATES: Final = frozenset({"up", "down", "unreachable"})


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report | None:
    """Names as in Nagios' macros, in small letters."""
    body = {name.lower().removeprefix("nagios_").removeprefix("icinga_"): value for name, value in body.items()}
    host = values.needed(body.get("hostname") or body.get("host"), "hostname")
    service = values.first(body.get("servicedesc"), body.get("servicename"), body.get("service"))
    state = values.first(*(body.get(name) for name in (("servicestate",) if service else ("hoststate",))))
    state = state or values.first(body.get("state"))
    kind = values.first(body.get("notificationtype"), body.get("type"))
    action: Action | None
    if kind:
        action = values.word(kind, "notificationtype", ACTIONS)
    else:
        action = "resolve" if values.needed(state, "state").casefold() in ("ok", "up", "0") else "trigger"
    if action is None:
        return None
    at = values.first(body.get("timet"), body.get("timestamp"))
    output = values.first(body.get("serviceoutput"), body.get("hostoutput"), body.get("output"))
    named = f"{host} / {service}" if service else host
    return Report(
        title=f"{named} is {state}: {output}" if output else f"{named} is {state}",
        action=action,
        severity=state,
        key=named,
        # By its time; a problem that is notified again later is another occurrence.
        start=at,
        status=f"{kind} {state}",
        at=at,
        labels=values.plain(host=host, service=service, address=body.get("hostaddress"), author=body.get("author")),
        scale="nagios_service" if service and state.casefold() not in _HOST_STATES else "nagios_host",
    )


HOOK: Final = Hook("nagios", read)
#: Icinga's words are Nagios'.
ICINGA: Final = Hook("icinga", read)
