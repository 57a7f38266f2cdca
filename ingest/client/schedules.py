"""Events that come again and again; maintenance sends each due one once. The rules are those of `ingest.schedules`."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.core.exceptions import ValidationError

from ingest import accept
from ingest import schedules as rules
from ingest.accept import Receipt
from ingest.client.errors import NotFound, looks
from ingest.client.sending import as_json, unavailable
from ingest.models import Schedule

P = ParamSpec("P")
R = TypeVar("R")


def _as_here(function: Callable[P, R]) -> Callable[P, R]:
    """The errors that the client's functions raise, in place of Django's."""

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except ValidationError as error:
            raise ValueError(" ".join(error.messages)) from None
        except Schedule.DoesNotExist:
            raise NotFound("No schedule has this name.") from None
        except accept.Unavailable as error:
            raise unavailable(error) from error

    return looks(asked)


@_as_here
def schedule(
    name: str,
    kind: str = "alert",
    /,
    *,
    cron: str = "",
    interval_seconds: int | None = None,
    timezone: str = "UTC",
    priority: str = "medium",
    source: str = "",
    tenant: str = "",
    catch_up: str = "skip",
    anchor: datetime | None = None,
    **fields: Any,
) -> Schedule:
    """Send an event with these fields by a cron expression, or every so many seconds counted from `anchor` (now).

    `catch_up` says what is done about times that passed while nothing ran: `skip` them, or send `once`. A schedule of
    this name is changed to what is given, so that code may say it at every start; one that was paused stays paused.
    Raises ValueError, which names the field.
    """
    given: dict[str, Any] = {
        "kind": kind,
        "cron": cron,
        "interval_seconds": interval_seconds,
        "timezone": timezone,
        "priority": priority,
        "source": source,
        "tenant": tenant,
        "catch_up": catch_up,
        "body": as_json(fields).decode(),
    }
    if anchor is not None:
        given["anchor"] = anchor
    if Schedule.objects.filter(name=name).exists():
        return rules.update(name, **given)
    return rules.create(name, **given)


@_as_here
def schedules() -> list[Schedule]:
    """All schedules by name, with when each fired last and is due next."""
    return list(Schedule.objects.order_by("name"))


@_as_here
def unschedule(name: str) -> bool:
    """End a schedule; what it sent stays. False: there was none."""
    return rules.delete(name)


@_as_here
def pause_schedule(name: str) -> None:
    """Let it send nothing until `resume_schedule`. Raises NotFound."""
    rules.pause(name)


@_as_here
def resume_schedule(name: str) -> None:
    """Let it send again, from its next due time on. Raises NotFound."""
    rules.resume(name)


@_as_here
def run_schedule(name: str) -> Receipt:
    """Send its event now, beside its due times, whether it is paused or not. Raises NotFound."""
    return rules.run_now(name)
