"""Azure Monitor's action group with the common alert schema.

https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report
from ingest.kinds.errors import Invalid

_CONDITIONS: Final[dict[str, Action]] = {"fired": "trigger", "resolved": "resolve"}
SCHEMA: Final = "azureMonitorCommonAlertSchema"


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    data = values.mapping(body.get("data"), "data")
    if "essentials" not in data:
        detail = f"data.essentials is missing; turn the common alert schema on ({SCHEMA})."
        raise Invalid("data.essentials", "missing", detail)
    essentials = values.mapping(data["essentials"], "data.essentials")
    condition = values.first(essentials.get("monitorCondition"))
    action: Action = values.word(condition, "data.essentials.monitorCondition", _CONDITIONS)
    fired = essentials.get("firedDateTime")
    targets = essentials.get("alertTargetIDs")
    return Report(
        title=values.first(essentials.get("alertRule"), essentials.get("description")),
        action=action,
        severity=values.level(essentials.get("severity")),
        key=values.needed(essentials.get("alertId") or essentials.get("originAlertId"), "data.essentials.alertId"),
        start=values.first(fired),
        status=f"{condition} {values.first(essentials.get('severity'))}",
        at=(essentials.get("resolvedDateTime") or None) if action == "resolve" else fired,
        labels=values.plain(
            signal=essentials.get("signalType"),
            service=essentials.get("monitoringService"),
            target=next((each for each in targets if isinstance(each, str)), "") if isinstance(targets, list) else "",
            description=essentials.get("description"),
        ),
    )


HOOK: Final = Hook("azure", read)
