"""Errors as RFC 9457 asks: `application/problem+json`, the same members everywhere."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django.http import HttpResponse

PROBLEM_TYPE: Final = "application/problem+json"

#: Paths that programs ask: every answer under them is JSON, the errors of Django's own included.
_MACHINE_PATHS: Final = ("/api/", "/v2/", "/queue/", "/tracking/", "/scoring/", "/metrics")
_MACHINE_EXACT: Final = frozenset({"/api", "/health", "/healthz", "/readyz"})


class Problem:
    """One error: what went wrong, where, and whether sending the same again can help.

    Further members (`field`, `limit`, `limit_value`, `errors` …) are given by name and stand beside
    the fixed ones. Nothing here may hold a traceback, a path of this machine or SQL.
    """

    __slots__ = ("code", "detail", "extra", "headers", "retryable", "status", "title")

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        *,
        retryable: bool = False,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail or title
        self.retryable = retryable
        self.headers: dict[str, str] = dict(headers or {})
        self.extra = extra

    def as_dict(self) -> dict[str, Any]:
        return {
            "type": f"/problems/{self.code.replace('_', '-')}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.retryable,
            **self.extra,
        }

    def as_error(self) -> dict[str, Any]:
        """The problem of one item of a batch, whose status and retryable stand beside it."""
        shown = self.as_dict()
        del shown["status"], shown["retryable"]
        return shown

    def body(self) -> bytes:
        return msgspec.json.encode(self.as_dict())

    def response(self) -> HttpResponse:
        return HttpResponse(self.body(), status=self.status, content_type=PROBLEM_TYPE, headers=self.headers)

    def __repr__(self) -> str:
        return f"Problem({self.status}, {self.code!r}, {self.detail!r})"


class ProblemError(Exception):
    """Ends a request with its problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        #: By `tally`, which more than one place passes on its way out.
        self.counted = False


def speaks_json(path: str) -> bool:
    """Whether answers at this path are for programs."""
    return path in _MACHINE_EXACT or path.startswith(_MACHINE_PATHS)


def not_found(path: str) -> Problem:
    return Problem(404, "not_found", "Not found", f"There is nothing at {path[:200]}.")


def method_not_allowed(method: str, allowed: str) -> Problem:
    return Problem(
        405,
        "method_not_allowed",
        "Method not allowed",
        f"{method[:20]} is not possible here; allowed: {allowed}.",
        headers={"Allow": allowed},
    )


def server_error() -> Problem:
    return Problem(
        500,
        "internal_error",
        "Internal error",
        "Something went wrong on our side; it is in the server's log under the request's id.",
        retryable=True,
    )


def database_away(detail: str = "") -> Problem:
    return Problem(
        503,
        "database_unavailable",
        "The database is away",
        detail or "The database does not answer.",
        retryable=True,
        headers={"Retry-After": "5"},
    )


def disallowed_host() -> Problem:
    return Problem(
        400, "disallowed_host", "Unknown host", "The Host header names no host of ALLOWED_HOSTS.", field="Host"
    )
