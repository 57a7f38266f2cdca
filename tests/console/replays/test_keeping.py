"""Replays that are over go after a time (issue 8 part 4)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from queueadmin.console.models import AuditEntry, Replay, ReplayChunk
from queueadmin.console.replays import keeping
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_what_ended_long_ago_goes_with_its_set_and_on_the_record(stage: Stage, jobs: Jobs) -> None:
    old, now = timezone.now() - keeping.KEPT - timedelta(minutes=1), timezone.now()
    gone = Replay.objects.create(kind="retry", actor="ada", created_at=old, ended_at=old, state="stopped", settled=True)
    ReplayChunk.objects.create(replay=gone, number=0, queue="high", places="[]", marks="")
    for state, ended, settled in (("done", now, True), ("paused", None, False), ("stopped", old, False)):
        Replay.objects.create(
            kind="retry", actor="ada", created_at=old, ended_at=ended, state=state, settled=settled, frozen_at=old
        )
    assert keeping.forget() == 1
    assert (Replay.objects.filter(pk=gone.pk).exists(), ReplayChunk.objects.count()) == (False, 0)
    assert Replay.objects.count() == 3
    entry = AuditEntry.objects.get(action="retention", step="outcome")
    assert (entry.actor, entry.count, entry.outcome) == (
        "maintenance",
        1,
        "1 replays removed, 30 days after their end.",
    )
    assert keeping.forget() == 0
    assert AuditEntry.objects.filter(action="retention").count() == 2


def test_the_leader_does_it(stage: Stage) -> None:
    old = timezone.now() - keeping.KEPT - timedelta(days=1)
    Replay.objects.create(kind="retry", actor="ada", created_at=old, ended_at=old, state="done", settled=True)
    stage.engine.step()
    assert not Replay.objects.exists()
