"""The description as people read it: what the page at /api/docs/ shows."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.urls import Resolver404, resolve

from queueadmin.console.openapi.parts import Schema

#: What a caller needs, by the security that an operation asks for.
_NEEDS: Final = {
    "open": "Open to everybody.",
    "admin": "A key with the scope admin, or a session with {permission}.",
    "insider": "A key with the scope admin, or a session with {permission}.",
    "read": "A key with the scope read, or a session with {permission}.",
    "ingest": "A key with the scope ingest.",
}
_ON_THIS_MACHINE: Final = " None on this machine, unless keys are required."


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a member of an object."""

    name: str
    type: str
    description: str
    #: Where it stands, of a parameter.
    place: str = ""
    required: bool = False
    #: The named shape that it holds.
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    content_type: str
    shape: str
    fields: tuple[Field, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    shape: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    #: Its name, which is its place on the page.
    id: str
    method: str
    path: str
    summary: str
    description: str
    needs: str
    curl: str
    parameters: tuple[Field, ...]
    requests: tuple[Request, ...]
    #: What is answered when it works; the refusals are all problems.
    answers: tuple[Answer, ...]
    refusals: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    description: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    description: str
    fields: tuple[Field, ...]


def groups(document: Mapping[str, Any], address: str) -> list[Group]:
    """`address` is where this instance is, for the commands."""
    made = [
        (operation["tags"][0], _operation(path, method, operation, address))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("tags")
    ]
    return [
        Group(tag["name"], tag["description"], tuple(each for name, each in made if name == tag["name"]))
        for tag in document["tags"]
    ]


def shapes(document: Mapping[str, Any]) -> list[Shape]:
    """Every named shape, by name."""
    found = []
    for name, schema in sorted(document["components"]["schemas"].items()):
        objects = [schema, *schema.get("oneOf", ())]
        fields = [_field(each, inner, of) for of in objects for each, inner in of.get("properties", {}).items()]
        unique = {field.name: field for field in fields}  # of two forms the members that both have are told once
        described = schema.get("description", "")
        if schema.get("type") == "array":
            described = f"From {schema['minItems']} to {schema['maxItems']:,} of `{_shape(schema)}`."
        found.append(Shape(name, described, tuple(unique.values())))
    return found


def _operation(path: str, method: str, operation: Mapping[str, Any], address: str) -> Operation:
    contents = operation.get("requestBody", {}).get("content", {})
    requests = tuple(
        Request(
            content_type,
            _shape(content["schema"]),
            tuple(
                _field(name, inner, content["schema"])
                for name, inner in content["schema"].get("properties", {}).items()
            ),
            tuple(_examples(content)),
        )
        for content_type, content in contents.items()
    )
    answers = [
        Answer(status, answer["description"], _shape(content["schema"]), tuple(_examples(content)))
        for status, answer in operation["responses"].items()
        for content in answer.get("content", {"": {"schema": {}}}).values()
    ]
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        needs=_needs(operation["security"]).format(permission=_permission(path, method)),
        curl=_curl(path, method, requests, address),
        parameters=tuple(
            _field(each["name"], {"description": each["description"], **each["schema"]}, {}, place=each["in"],
                   required=each["required"])
            for each in operation.get("parameters", ())
        ),
        requests=requests,
        answers=tuple(answer for answer in answers if answer.shape != "Problem"),
        refusals=tuple(answer for answer in answers if answer.shape == "Problem"),
    )  # fmt: skip


def _needs(security: list[dict[str, Any]]) -> str:
    if not security:
        return _NEEDS["open"]
    if any("csrf" in each for each in security):
        return _NEEDS["admin"]
    scope = "ingest"
    if {"session": []} in security:
        scope = "read" if {} in security else "insider"
    return _NEEDS[scope] + (_ON_THIS_MACHINE if {} in security else "")


def _permission(path: str, method: str) -> str:
    """What the view says that it asks of a session."""
    try:
        view = resolve(re.sub(r"\{\w+\}", "1", path)).func
    except Resolver404:
        return ""
    asked = getattr(getattr(view, "cls", None), "reading" if method == "get" else "writing", None)
    return asked.name if asked else ""


def _curl(path: str, method: str, requests: tuple[Request, ...], address: str) -> str:
    shown = path.replace("{name}", "high").replace("{job_id}", "$ID").replace("{batch_id}", "$ID")
    shown = (
        shown.replace("{vendor}", "alertmanager")
        .replace("{schedule}", "nightly-report")
        .replace("{worker}", "node-a-4121-9f2c")
    )
    query = {"/api/v1/jobs": "?ids=$ID", "/api/v1/jobs/lookup": "?source=prometheus&id=disk-db-04"}.get(path, "")
    line = f"curl {address}{shown}" if not query else f'curl "{address}{shown}{query}"'
    if method == "get":
        return line
    if method != "post" or not requests or not requests[0].examples:
        line += f" -X {method.upper()}"
    if not requests or not requests[0].examples:
        return line
    sent = json.dumps(json.loads(requests[0].examples[0].text), ensure_ascii=False).replace("'", "'\\''")
    return f"{line} \\\n  -H 'Content-Type: {requests[0].content_type}' \\\n  -d '{sent}'"


def _examples(content: Mapping[str, Any]) -> Iterator[Example]:
    for name, example in content.get("examples", {}).items():
        value = example["value"]
        text = value.rstrip() if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        yield Example(example.get("summary", name.capitalize()), text)


def _field(name: str, schema: Schema, of: Mapping[str, Any], *, place: str = "", required: bool = False) -> Field:
    required = required or name in of.get("required", ())
    return Field(name, _type(schema), schema.get("description", ""), place, required, _shape(schema))


def _shape(schema: Mapping[str, Any]) -> str:
    """The name of the shape that it is, or holds."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for inner in (
        schema.get("items"),
        schema.get("additionalProperties"),
        *schema.get("oneOf", ()),
        *schema.get("anyOf", ()),
    ):
        if isinstance(inner, dict) and (found := _shape(inner)):
            return found
    return ""


def _type(schema: Mapping[str, Any]) -> str:
    """`text, at most 255 characters, or null`."""
    if "$ref" in schema:
        return _shape(schema)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema["enum"])
    if parts := (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        return " | ".join(_type(part) for part in parts)
    kinds = schema.get("type", "anything")
    words = [_word(kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds])]
    bounds = [
        f"at most {schema['maxLength']:,} characters" if "maxLength" in schema else "",
        f"from {schema['minimum']:,}" if "minimum" in schema else "",
        f"over {schema['exclusiveMinimum']:,}" if "exclusiveMinimum" in schema else "",
        f"to {schema['maximum']:,}" if "maximum" in schema else "",
    ]
    return ", ".join([" | ".join(words), *filter(None, bounds)])


def _word(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    if kind == "string":
        return {"date-time": "time", "uri": "URL"}.get(schema.get("format", ""), kind)
    return kind
