"""What descriptions of operations are made of."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

Schema = dict[str, Any]
#: Path → method → operation.
Operations = dict[str, dict[str, dict[str, Any]]]

#: Who may call. `open`: everybody; the others need a key of that scope, or a session; `ingest` and `read` are open to
#: programs on this machine as well, unless keys are required. `insider`: a key with scope admin, or a session.
Scope = Literal["open", "ingest", "read", "insider", "admin"]

_KEYS: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}, {"basic": []}]
_SECURITY: Final[dict[Scope, list[dict[str, list[str]]]]] = {
    "open": [],
    "ingest": [*_KEYS, {}],
    "read": [*_KEYS, {"session": []}, {}],
    "insider": [*_KEYS, {"session": []}],
    "admin": [*_KEYS, {"session": [], "csrf": []}],
}
SECURITY_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `manage.py api_key create`."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-KEY", "description": "The same key."},
    "basic": {"type": "http", "scheme": "basic", "description": "The user `api_key`, with the key as password."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "Of somebody signed in, who has the operation's permission.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": "With a session, for what changes something.",
    },
}
#: The contract's words.
JOB_STATES: Final = (
    "spooled", "queued", "scheduled", "retrying", "started", "finished", "failed", "trash", "canceled",
)  # fmt: skip
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
#: By their names, where else to go from here.
LINKS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string", "format": "uri-reference"}}
#: No database takes a NUL.
NO_NUL: Final = r"^[^\u0000]*$"
#: An id of ours.
ID: Final = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
#: What each error status means wherever it may come.
_ERRORS: Final = {
    400: "It cannot be read.",
    401: "A key is needed, or this one is unknown, expired or revoked.",
    403: "The key or the user may not do this.",
    404: "Not there, or another tenant's.",
    408: "It did not arrive in time. Worth another try.",
    409: "It conflicts with what is there.",
    410: "It was there, and is not kept any more.",
    413: "Too large; `limit` and `limit_value` say which limit.",
    415: "Another media type or encoding is needed.",
    422: "It breaks a rule; `detail` says which, `field` where.",
    429: "Too many events for the key. Worth another try after `Retry-After`.",
    431: "The request's head is too large.",
    503: "Not now. Worth another try after `Retry-After`, unless `retryable` is false.",
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def example(value: Any, summary: str = "") -> dict[str, Any]:
    return {"summary": summary, "value": value} if summary else {"value": value}


def text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def members(properties: dict[str, Schema], *, required: list[str] | None = None, **more: Any) -> Schema:
    """All of its members are there, unless `required` says less."""
    wanted = list(properties) if required is None else required
    return {"type": "object", "required": wanted, "properties": properties, **more}


def parameter(name: str, place: Literal["path", "query", "header"], description: str, schema: Schema) -> dict[str, Any]:
    required = place == "path" or schema.pop("required", False)
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema}


def json_answer(
    description: str,
    schema: Schema,
    *,
    examples: Mapping[str, dict[str, Any]] | None = None,
    headers: Mapping[str, dict[str, Any]] | None = None,
    links: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if examples:
        content["examples"] = dict(examples)
    answer: dict[str, Any] = {"description": description, "content": {"application/json": content}}
    if headers:
        answer["headers"] = dict(headers)
    if links:
        answer["links"] = dict(links)
    return answer


def body(
    description: str, schema: Schema, *, examples: Mapping[str, dict[str, Any]] | None = None, required: bool = False
) -> dict[str, Any]:
    """A request's body in JSON."""
    content: dict[str, Any] = {"schema": schema}
    if examples:
        content["examples"] = dict(examples)
    return {"description": description, "required": required, "content": {"application/json": content}}


def operation(
    operation_id: str,
    tag: str,
    summary: str,
    description: str,
    *,
    scope: Scope,
    answers: Mapping[int, dict[str, Any]],
    errors: Sequence[int],
    parameters: Sequence[dict[str, Any]] = (),
    request: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One operation. `errors` are answered as problems, beside those that any request of the scope may get."""
    asked = () if scope == "open" else (401, 403, 503)
    responses = {str(status): answer for status, answer in answers.items()}
    for status in sorted({400, *asked, *errors}):
        responses.setdefault(str(status), problem(status))
    made: dict[str, Any] = {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "security": _SECURITY[scope],
        "responses": dict(sorted(responses.items())),
    }
    if parameters:
        made["parameters"] = list(parameters)
    if request:
        made["requestBody"] = dict(request)
    return made


def problem(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": _ERRORS[status],
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }
    if status in (429, 503):
        answer["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": r"^\d+$"}}
        }
    return answer


def job_links(*names: str) -> dict[str, Any]:
    """Operations that take the id of the job that is answered, by their names."""
    return {name: {"operationId": name, "parameters": {"job_id": "$response.body#/id"}} for name in names}
