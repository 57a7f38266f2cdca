"""Amazon CloudWatch's alarms through SNS: an envelope, as text/plain, whose Message is the alarm as a JSON text.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ingest.api import decode
from ingest.api.hooks import sns, values
from ingest.api.hooks.hook import Action, Hook, Report

_STATES: Final[dict[str, Action]] = {"alarm": "trigger", "insufficient_data": "trigger", "ok": "resolve"}
#: Of the envelope; signatures and links that unsubscribe are kept nowhere.
_KEPT: Final = ("TopicArn", "MessageId", "Timestamp", "Subject")
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(envelope: Mapping[str, Any], group: Mapping[str, Any]) -> Report | None:
    kind = values.needed(envelope.get("Type"), "Type")
    if kind != "Notification":
        values.word(kind, "Type", {"subscriptionconfirmation": True, "unsubscribeconfirmation": True})
        return None
    message = values.needed(envelope.get("Message"), "Message")
    of_sns = {"sns": msgspec.Raw(msgspec.json.encode({name: envelope.get(name) for name in _KEPT}))}
    if not message.startswith("{"):
        return _text(envelope, message, of_sns)
    raw = message.encode()
    alarm = decode.parse(raw)
    payload = {**_FIELDS.decode(raw), **of_sns}
    if isinstance(alarm.get("detail"), dict):
        return _of_eventbridge(alarm, payload)
    state = values.text(alarm.get("NewStateValue"), "Message.NewStateValue")
    action: Action = values.word(state, "Message.NewStateValue", _STATES)
    at = values.first(alarm.get("StateChangeTime"), envelope.get("Timestamp"))
    return Report(
        title=values.first(alarm.get("AlarmName"), envelope.get("Subject")),
        action=action,
        severity=state,
        key=values.first(alarm.get("AlarmArn"), alarm.get("AlarmName")),
        start=at,
        status=state,
        at=_time(at),
        labels={
            **_dimensions(values.within(alarm, "Trigger", "Dimensions")),
            **values.plain(
                region=alarm.get("Region"),
                account=alarm.get("AWSAccountId"),
                namespace=values.within(alarm, "Trigger", "Namespace"),
                metric=values.within(alarm, "Trigger", "MetricName"),
            ),
        },
        payload=payload,
    )


def _of_eventbridge(event: Mapping[str, Any], payload: Mapping[str, msgspec.Raw]) -> Report:
    """The same alarm, by a rule of EventBridge."""
    detail = values.mapping(event.get("detail"), "Message.detail")
    state = values.text(values.within(detail, "state", "value"), "Message.detail.state.value")
    action: Action = values.word(state, "Message.detail.state.value", _STATES)
    arns = event.get("resources")
    at = values.first(values.within(detail, "state", "timestamp"), event.get("time"))
    return Report(
        title=values.first(detail.get("alarmName"), event.get("detail-type")),
        action=action,
        severity=state,
        key=values.first(*(arns if isinstance(arns, list) else ()), detail.get("alarmName")),
        start=at,
        status=state,
        at=_time(at),
        labels=values.plain(region=event.get("region"), account=event.get("account")),
        payload=payload,
    )


def _text(envelope: Mapping[str, Any], message: str, of_sns: Mapping[str, msgspec.Raw]) -> Report:
    """What somebody else published to the topic."""
    return Report(
        title=values.first(envelope.get("Subject"), message.splitlines()[0]),
        action="trigger",
        key=values.first(envelope.get("Subject")),
        start=values.first(envelope.get("MessageId")),
        status="Notification",
        at=envelope.get("Timestamp"),
        payload={"message": msgspec.Raw(msgspec.json.encode(message)), **of_sns},
    )


def _dimensions(dimensions: Any) -> dict[str, Any]:
    return {
        values.first(each.get("name"), each.get("Name")): values.first(each.get("value"), each.get("Value"))
        for each in values.objects(dimensions)[:50]
    }


def _time(at: str) -> str:
    """`2026-11-27T08:00:00.000+0000`: AWS leaves the colon out of the zone."""
    return f"{at[:-2]}:{at[-2:]}" if len(at) > 5 and at[-5] in "+-" and at[-4:].isdecimal() else at


HOOK: Final = Hook("cloudwatch", read, check=sns.check)
