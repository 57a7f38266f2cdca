"""How long dead letters are kept: set, changed and removed. Nothing goes before a day has passed since."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from ingest.queue.connections import connection, server_time
from queueadmin.console import policies
from queueadmin.console.audit import audited
from queueadmin.console.models import FailureGroup, RetentionPolicy
from queueadmin.console.operations.reasons import ReasonNeeded
from queueadmin.console.policies import MOST_COUNT, MOST_DAYS, NOTICE


class BadPolicy(ValueError):
    """What the policy should be is out of bounds; nothing was set."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class PolicyResult:
    policy: RetentionPolicy
    sentence: str


def planned(group: str = "", keep_days: int | None = None, keep_count: int | None = None) -> RetentionPolicy:
    """What would be set, from now on; it is not saved. Raises BadPolicy, DatabaseError and redis.RedisError."""
    for name, value, most in (("keep_days", keep_days, MOST_DAYS), ("keep_count", keep_count, MOST_COUNT)):
        if value is not None and not 1 <= value <= most:
            raise BadPolicy(name, f"{name} must be a whole number from 1 to {most:,}.")
    if group and ("\0" in group or not FailureGroup.objects.filter(pk=group).exists()):
        raise BadPolicy("group", f"There is no group {group[:50]}.")
    if not group and keep_days is None and keep_count is None:
        raise BadPolicy("keep_days", "Say for how many days they are kept, or how many of each cause.")
    now = server_time(connection())
    return RetentionPolicy(
        fingerprint=group, keep_days=keep_days, keep_count=keep_count, set_at=now, starts_at=now + NOTICE
    )


def set_policy(
    *,
    group: str = "",
    keep_days: int | None = None,
    keep_count: int | None = None,
    actor: str,
    reason: str,
) -> PolicyResult:
    """Keep dead letters so, of one cause or of all that have no policy of their own, in place of what was said before.

    A cause without either limit is kept. Raises BadPolicy, ReasonNeeded, redis.RedisError, and AuditUnavailable and
    DatabaseError when the database is away.
    """
    policy = planned(group, keep_days, keep_count)
    policy.set_by, policy.reason = actor[:200], reason.strip()[:500]
    count = policies.leaving(policy, policy.set_at)
    if not policy.reason:
        raise ReasonNeeded(f"Say why: {warned(count, policy.starts_at)}", count)
    with audited(actor=actor, action="set_policy", target=str(policy), count=1, reason=reason) as outcome:
        values = {name: getattr(policy, name) for name in RetentionPolicy.SAID}
        policy, _ = RetentionPolicy.objects.update_or_create(fingerprint=group, defaults=values)
        said = (
            f"Of {policy}: kept {policies.kept(policy)}."
            if group
            else f"Dead letters are kept {policies.kept(policy)}."
        )
        outcome.count, outcome.sentence = 1, f"{said} {warned(count, policy.starts_at)}"
    return PolicyResult(policy, outcome.sentence)


def remove_policy(policy: RetentionPolicy, *, actor: str, reason: str = "") -> PolicyResult:
    """From now on nothing goes by it. Raises redis.RedisError, AuditUnavailable and DatabaseError."""
    starts_at = server_time(connection()) + NOTICE
    with (
        audited(actor=actor, action="remove_policy", target=str(policy), count=1, reason=reason) as outcome,
        transaction.atomic(),
    ):
        RetentionPolicy.objects.filter(pk=policy.pk).delete()
        outcome.count, outcome.sentence = 1, f"The policy for {policy} is removed."
        rest = RetentionPolicy.objects.filter(fingerprint="")
        # What that one speaks of now is more than it gave notice of.
        if policy.fingerprint and rest.update(starts_at=starts_at):
            outcome.sentence += f" What the policy for all says of it goes from {_at(starts_at)} on."
    return PolicyResult(policy, outcome.sentence)


def warned(count: int, at: datetime) -> str:
    """What a policy says before so many go."""
    what = "1 dead letter goes" if count == 1 else f"{count:,} dead letters go"
    return f"From {_at(at)} on {what} to the trash." if count else f"From {_at(at)} on; none would go now."


def _at(at: datetime) -> str:
    return f"{at:%d %b %H:%M} UTC"
