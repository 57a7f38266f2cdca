"""Answers in the words of those whose place an endpoint takes, for clients that know no others.

PagerDuty's Events API v2: 202 with the dedup_key, 400 `invalid event`, 429 `throttle exceeded`.
https://developer.pagerduty.com/docs/events-api-v2-overview#response-codes--retry-logic
Alertmanager's API v2: 200 without a body, 400 with a text; what it has no answer for stays a problem.
"""

from dataclasses import replace
from typing import Any, Final

import msgspec

from ingest.api.answers import Answer
from ingest.api.intake import ENQUEUE, POSTED, Endpoint

#: PagerDuty's clients wait after a 429, whatever it is that is full.
_SHED: Final = frozenset({"shed", "queue_full"})
_BODY: Final = msgspec.json.Decoder(dict[str, Any])


def dressed(endpoint: Endpoint, answer: Answer) -> Answer:
    """The answer as the endpoint's clients expect it; any other endpoint's as it is."""
    if endpoint is ENQUEUE:
        return _pagerduty(answer)
    if endpoint is POSTED:
        return _alertmanager(answer)
    return answer


def _pagerduty(answer: Answer) -> Answer:
    said = _BODY.decode(answer.body)
    if answer.status < 400:
        shown = {"status": "success", "message": "Event processed", "dedup_key": said.get("dedup_key")}
        return replace(answer, status=202, body=msgspec.json.encode(shown))
    detail = said["detail"]
    if answer.status == 429 or said["code"] in _SHED:
        status, words = 429, ("throttle exceeded", "Requests for this service are arriving too quickly. Retry later.")
    elif answer.status >= 500:
        status, words = answer.status, ("unavailable", "The event was not processed. Retry later.")
    else:
        status, words = 400, ("invalid event", "Event object is invalid")
    shown = {"status": words[0], "message": words[1], "errors": [detail]}
    return replace(answer, status=status, body=msgspec.json.encode(shown), content_type="application/json")


def _alertmanager(answer: Answer) -> Answer:
    if answer.status < 400:
        return replace(answer, status=200, body=b"")
    if answer.status not in (400, 413, 415, 422):
        return answer
    said = _BODY.decode(answer.body)
    errors = [f"alert {item['index']}: {item['error']['detail']}" for item in said.get("items", ())]
    text = "; ".join(errors[:20]) or said["detail"]
    return replace(answer, status=400, body=msgspec.json.encode(text), content_type="application/json")
