"""Keys made, listed, rotated and revoked: what the command and the console's operations call.

The secret is in what `create` and `rotate` return, and nowhere else.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from ingest.api.keys import SCOPES, digest, new_key
from ingest.models import ApiKey
from ingest.priorities import PRIORITIES

#: A key's first characters, kept to tell keys apart: 54 of its 256 random bits.
SHOWN: Final = 12
NAME_LENGTH: Final = 100
#: Events a second: less is no rate, more no limit.
MIN_RATE: Final = 0.01
MAX_RATE: Final = 1_000_000
#: Minutes that the secret before a rotation stays good: while the senders change over.
ROTATE_MINUTES: Final = 60.0
MAX_ROTATE_MINUTES: Final = 30 * 24 * 60.0


class KeyRefused(ValueError):
    """What was asked for breaks a rule, or the key is not there; nothing was changed. The sentence is for people."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Key:
    """One key, without its secret."""

    id: int
    name: str
    #: The secret's first characters.
    prefix: str
    scopes: tuple[str, ...]
    #: Empty: any. Else what is sent with it is from this source, of this tenant, and nothing else is shown to it.
    source: str
    tenant: str
    #: A priority's word, or empty.
    max_priority: str
    #: Events a second, and events at once; None: as many as come.
    rate: float | None
    burst: int | None
    created_at: datetime
    expires_at: datetime | None
    #: A minute old at most while it is in use.
    last_used_at: datetime | None
    rotated_at: datetime | None
    #: The secret before the last rotation is good until then; None: it is not any more.
    previous_until: datetime | None
    revoked_at: datetime | None

    @property
    def state(self) -> str:
        """active, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= timezone.now() else "active"


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A key and its secret, to be shown once."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"NewSecret({self.key.name!r})"  # the secret gets into no log


def create(
    name: str,
    *,
    scopes: Collection[str] = ("ingest",),
    source: str = "",
    tenant: str = "",
    max_priority: str = "",
    rate: float | None = None,
    burst: int | None = None,
    expires_at: datetime | None = None,
) -> NewSecret:
    """A new key. Without a burst as many events as it may send in a second come at once. Raises KeyRefused."""
    _check_name(name)
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        wrong = ", ".join(unknown) or "empty"
        raise KeyRefused("scopes", f"Scopes must be of {', '.join(SCOPES)}, not {wrong}.")
    for field, value in (("source", source), ("tenant", tenant)):
        if len(value) > 255 or not value.isprintable():
            raise KeyRefused(field, f"The {field} may have 255 printable characters.")
    if max_priority and max_priority not in PRIORITIES:
        raise KeyRefused("max_priority", f"The highest priority must be one of {', '.join(PRIORITIES)}.")
    if rate is not None and not MIN_RATE <= rate <= MAX_RATE:
        raise KeyRefused("rate", f"The rate must be {MIN_RATE:g} to {MAX_RATE:,} events a second.")
    if burst is not None and (rate is None or not 1 <= burst <= MAX_RATE):
        raise KeyRefused("burst", f"The burst must be 1 to {MAX_RATE:,} events, and needs a rate.")
    if expires_at is not None and expires_at <= timezone.now():
        raise KeyRefused("expires_at", "The key would have expired already.")
    secret = new_key()
    try:
        with transaction.atomic():
            row = ApiKey.objects.create(
                name=name,
                prefix=secret[:SHOWN],
                digest=digest(secret),
                scopes=",".join(scope for scope in SCOPES if scope in scopes),
                source=source,
                tenant=tenant,
                max_priority=max_priority,
                rate=rate,
                burst=math.ceil(rate) if rate is not None and burst is None else burst,
                expires_at=expires_at,
            )
    except IntegrityError:
        raise KeyRefused("name", f"There is a key named {name!r} already; names are never used twice.") from None
    return NewSecret(_key(row), secret)


def revoke(name: str) -> Key:
    """Stop a key within 5 s, for good; both of its secrets. Raises KeyRefused when no such key is active."""
    with transaction.atomic():
        row = _locked(name)
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
    return _key(row)


def rotate(name: str, *, keep_minutes: float = ROTATE_MINUTES) -> NewSecret:
    """A new secret for a key; the one until now stays good for `keep_minutes`, one from before that stops.

    Its rate, tenant and all else stay as they are. Raises KeyRefused.
    """
    if not 0 <= keep_minutes <= MAX_ROTATE_MINUTES:
        raise KeyRefused("keep_minutes", f"The old secret may be kept for 0 to {MAX_ROTATE_MINUTES:,.0f} minutes.")
    secret = new_key()
    with transaction.atomic():
        row = _locked(name)
        row.rotated_at = timezone.now()
        row.previous_digest = row.digest if keep_minutes else None
        row.previous_until = row.rotated_at + timedelta(minutes=keep_minutes) if keep_minutes else None
        row.prefix, row.digest = secret[:SHOWN], digest(secret)
        row.save(update_fields=["rotated_at", "previous_digest", "previous_until", "prefix", "digest"])
    return NewSecret(_key(row), secret)


def all_keys() -> list[Key]:
    """Every key, the oldest first, revoked ones too."""
    return [_key(row) for row in ApiKey.objects.order_by("created_at", "pk")]


def _locked(name: str) -> ApiKey:
    """An active key's row, nobody else's until the transaction ends. Raises KeyRefused."""
    row = ApiKey.objects.select_for_update().filter(name=name, revoked_at=None).first()
    if row is None:
        raise KeyRefused("name", f"There is no active key named {name!r}.")
    return row


def _check_name(name: str) -> None:
    if not name.isprintable() or not 1 <= len(name) <= NAME_LENGTH:
        raise KeyRefused("name", f"The name must have 1 to {NAME_LENGTH} printable characters.")


def _key(row: ApiKey) -> Key:
    kept = row.previous_until if row.previous_until and row.previous_until > timezone.now() else None
    return Key(
        id=row.pk,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes.split(",")),
        source=row.source,
        tenant=row.tenant,
        max_priority=row.max_priority,
        rate=row.rate,
        burst=row.burst,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        rotated_at=row.rotated_at,
        previous_until=None if row.revoked_at else kept,
        revoked_at=row.revoked_at,
    )
