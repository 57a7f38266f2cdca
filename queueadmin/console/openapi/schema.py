"""drf-spectacular, told what is written down in `operations`; and the whole description, made once."""

from functools import cache
from typing import Any

import msgspec
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from ingest.kinds import KINDS, tasks
from queueadmin.console.openapi.operations import TAGS, operations
from queueadmin.console.openapi.parts import SECURITY_SCHEMES
from queueadmin.console.openapi.shapes import components


class Described(AutoSchema):
    """An endpoint of ours is described by hand, another app's by its serializers."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        by_hand = operations().get(path, {}).get(method.lower())
        return by_hand or super().get_operation(path, path_regex, path_prefix, method, registry)


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A post-processing hook: our order, the endpoints that are no framework's views, the components."""
    result["servers"] = [{"url": settings.SCRIPT_NAME or "/"}]
    result["paths"] = {**operations(), **result["paths"]}
    named = result.setdefault("components", {})
    named["schemas"] = {**components(), **named.get("schemas", {})}
    named["securitySchemes"] = {**named.get("securitySchemes", {}), **SECURITY_SCHEMES}
    result["tags"] = [{"name": name, "description": description} for name, description in TAGS.items()]
    return result


def document() -> dict[str, Any]:
    """The whole description. Not to be changed: it is made once for the kinds that there are."""
    return _document((*KINDS, *tasks.TYPES))


def as_json() -> bytes:
    return _as_json((*KINDS, *tasks.TYPES))


@cache
def _document(kinds: tuple[str, ...]) -> dict[str, Any]:
    made: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return made


@cache
def _as_json(kinds: tuple[str, ...]) -> bytes:
    return msgspec.json.encode(_document(kinds))
