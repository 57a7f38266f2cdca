"""A loss of Redis, in words and in the snapshot."""

import pytest
import redis
from django.db import OperationalError

from queueadmin.console import operations
from queueadmin.console.figures import losses, metrics
from tests.console.conftest import lose

pytestmark = pytest.mark.django_db


def test_e3_it_says_what_redis_held() -> None:
    empty = losses.described(lose(waiting=1000, scheduled=200, started=3, failed=31, missing=1234))
    assert empty.sentence == (
        "Redis came back empty: it held 1,234 jobs (1,000 waiting, 200 scheduled, 3 running and 31 dead letters)."
    )
    assert "press Understood" in empty.next
    older = losses.described(lose("older", waiting=1, missing=12))
    assert older.sentence == (
        "Redis came back older than it was: at least 12 accepted events are missing; it held 1 job (1 waiting)."
    )
    nothing = losses.described(lose())
    assert (nothing.sentence, nothing.next) == (
        "Redis came back empty: it held 0 jobs.",
        "Nothing was in it; press Understood.",
    )


def test_it_stays_while_the_database_is_away(empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(waiting=5, missing=5)
    assert metrics.snapshot().loss is not None

    def away() -> None:
        raise OperationalError("no database")

    monkeypatch.setattr(losses, "open_loss", away)
    snapshot = metrics.snapshot()
    assert snapshot.database.status == "disconnected"
    assert snapshot.loss is not None
    assert snapshot.verdict.reasons[0].startswith("Redis came back empty")


def test_one_after_the_other_is_understood(empty_redis: redis.Redis) -> None:
    first, second = lose(waiting=1, missing=1), lose("older", waiting=2, missing=1)
    shown = losses.open_loss()
    assert shown is not None
    assert shown.id == first.pk
    operations.acknowledge_loss(first.pk, actor="ada")
    shown = losses.open_loss()
    assert shown is not None
    assert shown.id == second.pk
