"""A replay's row is saved only by whoever read it last: two leaders, or an operator in between, lose nothing."""

from queueadmin.console.models import Replay


class Overtaken(Exception):
    """Somebody else changed the row meanwhile; nothing was saved."""


def save(replay: Replay, *fields: str) -> None:
    """Raises Overtaken and DatabaseError; within a transaction, all of it is undone then."""
    values = {name: getattr(replay, name) for name in fields}
    before = replay.version
    if not Replay.objects.filter(pk=replay.pk, version=before).update(version=before + 1, **values):
        raise Overtaken
    replay.version = before + 1
