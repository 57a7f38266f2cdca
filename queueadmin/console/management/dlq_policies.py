"""`manage.py dlq policies`: how long dead letters are kept, from the command line."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from ingest.queue.connections import connection, server_time
from queueadmin.console import operations, policies
from queueadmin.console.command_line import actor, one_line, typed
from queueadmin.console.models import RetentionPolicy

#: Characters of a cause, and of a reason, in the list.
_WIDTH = 50


def add_arguments(parser: ArgumentParser, whole: Callable[[str], int]) -> None:
    """`whole` reads a whole number above 0."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="those that are set, and how many dead letters leave within 24 hours")
    listing.add_argument("--json", action="store_true", help="as one JSON object: items")
    setting = verbs.add_parser("set", help="set one, in place of the one before for the same")
    setting.add_argument("--group", type=typed, default="", metavar="GROUP", help="for this cause; without it for all")
    setting.add_argument("--days", type=whole, metavar="N", help="kept for so many days after the failure")
    setting.add_argument("--newest", type=whole, metavar="N", help="of each cause so many are kept, the newest")
    setting.add_argument("--reason", type=typed, default="", help="why, for the audit log; needed")
    setting.add_argument("--dry-run", action="store_true", help="only say what would go")
    removing = verbs.add_parser("remove", help="remove one: nothing goes by it any more")
    removing.add_argument("policy", type=whole, metavar="NUMBER", help="as the list has it")
    removing.add_argument("--reason", type=typed, default="", help="why, for the audit log")


def run(options: dict[str, Any], write: Callable[[str], None]) -> None:
    """Raises CommandError, redis.RedisError and AuditUnavailable."""
    try:
        _VERBS[options["verb"]](options, write)
    except (operations.BadPolicy, operations.ReasonNeeded) as error:
        raise CommandError(str(error), returncode=2) from None
    except (DatabaseError, InterfaceError) as error:
        raise CommandError(f"The database does not answer: {error}") from None


def _list(options: dict[str, Any], write: Callable[[str], None]) -> None:
    now = server_time(connection())
    found = list(RetentionPolicy.objects.order_by("fingerprint"))
    if options["json"]:
        items = [policies.shown(policy, now) for policy in found]
        write(json.dumps({"items": items}, indent=2, default=datetime.isoformat) + "\n")
        return
    names = policies.name_of(found)
    for policy in found:
        expected = policies.expected(policy, now)
        first = f", the first {_when(expected.first_at, now)}" if expected.first_at else ""
        since = f"from {policy.starts_at:%Y-%m-%d %H:%M} UTC"
        what = one_line(names[policy.fingerprint], _WIDTH)
        write(f"{policy.pk}  {what}: kept {policies.kept(policy)}, {since}; {expected.leaving:,} leave in 24 h{first}")
        write(f"  ({policy.set_by}: {one_line(policy.reason, _WIDTH)})\n")
        for cause in expected.causes:
            write(f"  {one_line(str(cause.group), _WIDTH)}: {_near(cause, now)}\n")
    if not found:
        write("Nobody set a policy: dead letters stay until a person removes them.\n")


def _set(options: dict[str, Any], write: Callable[[str], None]) -> None:
    limits = {"group": options["group"], "keep_days": options["days"], "keep_count": options["newest"]}
    if options["dry_run"]:
        policy = operations.planned(**limits)
        count = policies.leaving(policy, policy.set_at)
        write(f"Kept {policies.kept(policy)}. {operations.warned(count, policy.starts_at)}\n")
        return
    write(operations.set_policy(**limits, actor=actor(), reason=options["reason"]).sentence + "\n")


def _near(cause: policies.Outlook, now: datetime) -> str:
    said = f"{cause.group.count:,} of {cause.keep_count:,}"
    return f"{said}; {cause.leaving:,} leave, the first {_when(cause.first_at, now)}" if cause.first_at else said


def _when(at: datetime, now: datetime) -> str:
    return f"at {at:%Y-%m-%d %H:%M} UTC" if at > now else "at the next look"


def _remove(options: dict[str, Any], write: Callable[[str], None]) -> None:
    policy = RetentionPolicy.objects.filter(pk=options["policy"]).first()
    if policy is None:
        raise CommandError(f"No policy has the number {options['policy']}.")
    write(operations.remove_policy(policy, actor=actor(), reason=options["reason"]).sentence + "\n")


_VERBS = {"list": _list, "set": _set, "remove": _remove}
