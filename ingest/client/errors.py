"""What the functions of the client raise, beside ValueError for an argument that breaks a rule."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar

import redis
from django.db import InterfaceError, OperationalError

from ingest.accept import Receipt

P = ParamSpec("P")
R = TypeVar("R")


class Unavailable(Exception):
    """Redis or the database does not answer, or a queue is full; another try later may help."""

    def __init__(self, detail: str, *, unknown: bool = False, receipts: Sequence[Receipt] = ()) -> None:
        super().__init__(detail)
        #: Whether some of it may have been done. Events that carry an `id` can be sent again.
        self.unknown = unknown
        #: Of `enqueue_many`: what became of each event, in their order; empty when none was stored.
        self.receipts = tuple(receipts)


class IdReused(ValueError):
    """Another event, with another body, was taken in under this id. It was kept, this one was not."""

    def __init__(self, detail: str, receipts: Sequence[Receipt]) -> None:
        super().__init__(detail)
        #: What became of each event, in their order.
        self.receipts = tuple(receipts)


class NotFound(LookupError):
    """No job has this id: it was never accepted, or it is gone and its row too."""


class AlreadyMoved(Exception):
    """The job is not where it could be moved from, as when somebody else was faster. Nothing was changed."""

    def __init__(self, job_id: str, state: str, moved_by: str | None = None, moved_at: datetime | None = None) -> None:
        by = f", moved by {moved_by}" if moved_by else ""
        super().__init__(f"job {job_id} is {state}{by}")
        self.job_id = job_id
        #: Where it is: a state of the contract.
        self.state = state
        self.moved_by = moved_by
        self.moved_at = moved_at


def looks(function: Callable[P, R]) -> Callable[P, R]:
    """Only looks: Unavailable when what it asks does not answer."""

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(f"The database does not answer: {error}") from error

    return asked


def changes(function: Callable[P, R]) -> Callable[P, R]:
    """Changes something: Unavailable, with `unknown`, when Redis does not answer any more."""

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer, so it may be done in part: {error}", unknown=True) from error
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(f"The database does not answer: {error}") from error

    return asked
