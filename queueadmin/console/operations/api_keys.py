"""Keys made, rotated and revoked from the console; the secret is in the result and in no log."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ingest.api import keyring
from ingest.api.keyring import Key, NewSecret
from queueadmin.console.audit import audited


@dataclass(frozen=True, slots=True)
class RevokeResult:
    key: Key

    @property
    def sentence(self) -> str:
        return f"The key {self.key.name} is revoked; within 5 s nobody gets in with it."


def create_key(
    name: str,
    *,
    actor: str,
    scopes: Collection[str] = ("ingest",),
    source: str = "",
    tenant: str = "",
    max_priority: str = "",
    rate: float | None = None,
    expires_at: datetime | None = None,
) -> NewSecret:
    """Raises keyring.KeyRefused, AuditUnavailable when the database is away."""
    with audited(actor=actor, action="create_key", target=name, count=1) as outcome:
        new = keyring.create(
            name,
            scopes=scopes,
            source=source,
            tenant=tenant,
            max_priority=max_priority,
            rate=rate,
            expires_at=expires_at,
        )
        bound = [f"{what} {value}" for what, value in (("source", source), ("tenant", tenant)) if value]
        outcome.count = 1
        outcome.sentence = (
            f"The key {name} may {', '.join(new.key.scopes)}{' for ' + ', '.join(bound) if bound else ''}."
        )
    return new


def rotate_key(name: str, *, keep_minutes: float = keyring.ROTATE_MINUTES, actor: str) -> NewSecret:
    """Raises keyring.KeyRefused, AuditUnavailable when the database is away."""
    with audited(actor=actor, action="rotate_key", target=name, count=1) as outcome:
        new = keyring.rotate(name, keep_minutes=keep_minutes)
        outcome.count = 1
        outcome.sentence = f"The key {name} has a new secret; the one before stays good for {keep_minutes:g} min."
    return new


def revoke_key(name: str, *, actor: str, reason: str = "") -> RevokeResult:
    """Raises keyring.KeyRefused, AuditUnavailable when the database is away."""
    with audited(actor=actor, action="revoke_key", target=name, count=1, reason=reason) as outcome:
        result = RevokeResult(keyring.revoke(name))
        outcome.count, outcome.sentence = 1, result.sentence
    return result
