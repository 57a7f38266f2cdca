"""Why somebody asks for something: what the audit log keeps."""

from typing import Any

from queueadmin.console.api import base
from queueadmin.console.openapi.parts import NO_NUL, Schema, body, example, nullable, text


def reason(said: str = "For the audit log.") -> Schema:
    return nullable(text(said, maxLength=base.MAX_REASON, pattern=NO_NUL))


def why(sample: str, *, said: str = "For the audit log.") -> dict[str, Any]:
    """The body of an operation that takes a reason and nothing else."""
    wanted: Schema = {"type": "object", "properties": {"reason": reason(said)}}
    return body("Why.", wanted, examples={"why": example({"reason": sample})})
