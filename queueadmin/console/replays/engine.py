"""The leading maintenance process's step: every replay that is not settled, one after the other, a little each."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

import redis
from django.db import InterfaceError, OperationalError, transaction

from ingest.queue import keys
from ingest.queue.connections import server_time
from ingest.queue.transitions import Transitions
from queueadmin.console.audit import audited
from queueadmin.console.figures import counts
from queueadmin.console.models import Replay, ReplayChunk
from queueadmin.console.replays import apart, freezing, keeping, moving, rules, settling, versions
from queueadmin.console.replays.freezing import Freezing
from queueadmin.console.replays.reading import outcome
from queueadmin.console.replays.rules import CANARY, WINDOW, Throttle
from queueadmin.console.replays.versions import Overtaken

#: Seconds that one replay may take of a step, so that another one's rate holds beside it.
TURN: Final = 0.5
#: Seconds between two looks at what is in flight, of one that goes as fast as it can.
_LOOK: Final = 0.1
#: Members moved in one go at most: ten script calls.
_GO: Final = 500

_PROGRESS: Final = (
    *("in_flight", "succeeded", "failed", "taken", "lost", "recent", "errors", "steps", "step", "step_began_at"),
    *("released", "given_back", "chunk", "position", "pace", "state", "why", "ended_at", "settled"),
)


class Engine:
    """Made once a process, with a client of its own; `step` about once a second while it leads."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._transitions = Transitions(client)
        self._freezing: dict[int, Freezing] = {}
        self._throttles: dict[int, Throttle] = {}
        self._forgets_at = clock()

    def step(self) -> None:
        """Raises RedisError and DatabaseError; what was done until then is kept."""
        if self._clock() >= self._forgets_at:
            self._forgets_at = self._clock() + keeping.EVERY
            keeping.forget()
        replays = list(Replay.objects.filter(settled=False).order_by("id"))
        known = {replay.pk for replay in replays}
        self._freezing = {key: value for key, value in self._freezing.items() if key in known}
        self._throttles = {key: value for key, value in self._throttles.items() if key in known}
        if not replays:
            return
        now = server_time(self._client)
        waits = self._waits(replays)
        wrong: Exception | None = None
        for replay in replays:
            try:
                self._one(replay, waits, now)
            except Overtaken:
                # An operator pressed meanwhile, or another one leads: the next step reads what is true.
                self._freezing.pop(replay.pk, None)
            except (redis.RedisError, OperationalError, InterfaceError):
                raise
            except Exception as error:
                wrong = wrong or error  # what one of them alone is refused for; the others go on
        if wrong is not None:
            raise wrong

    def _waits(self, replays: list[Replay]) -> Mapping[str, tuple[float, int]]:
        """Queue → seconds that it waits, and its target."""
        if not any(replay.stop_wait and replay.state == Replay.State.RUNNING for replay in replays):
            return {}
        return {queue.name: (queue.oldest_wait, queue.wait_target) for queue in counts.read(self._client).queues}

    def _one(self, replay: Replay, waits: Mapping[str, tuple[float, int]], now: datetime) -> None:
        if replay.going:
            moving.finish(self._client, self._transitions, replay, now)
        if replay.frozen_at is None and replay.state != Replay.State.CANCELED:
            self._freeze(replay, now)
        self._take_back(replay)  # what an operator canceled, or whoever stopped it left
        looked = 0.0
        for _ in self._turns(replay):
            changed: list[ReplayChunk] = []
            if replay.in_flight and time.monotonic() - looked >= _LOOK:
                changed, looked = settling.settle(self._client, replay, now), time.monotonic()
            ended = self._judge(replay, waits, now)
            if changed or ended:
                self._save(replay, changed)
            if ended:
                self._take_back(replay)  # at once: each that a worker comes to meanwhile costs its one attempt
            if not self._release(replay, now):
                break

    def _take_back(self, replay: Replay) -> None:
        if replay.in_flight and replay.state in (Replay.State.STOPPED, Replay.State.CANCELED):
            moving.give_back(self._transitions, replay)

    def _freeze(self, replay: Replay, now: datetime) -> None:
        writing = self._freezing.get(replay.pk)
        if writing is None or writing.version != replay.version:
            if not replay.written and replay.size:
                freezing.begin(replay)
            writing = self._freezing[replay.pk] = Freezing(self._client, replay)
        try:
            writing.step(replay, now, TURN)
        except Exception:
            # What was met and not saved would be missing from the set: a new one goes on where the row says.
            del self._freezing[replay.pk]
            raise
        if replay.frozen_at is not None:
            del self._freezing[replay.pk]

    def _turns(self, replay: Replay) -> Iterator[None]:
        """Once, and as long as the turn lasts for one that goes as fast as it can."""
        until = time.monotonic() + TURN
        yield
        while rules.is_unlimited(replay) and time.monotonic() < until:
            if replay.in_flight >= WINDOW:
                time.sleep(_LOOK)
            yield

    def _judge(self, replay: Replay, waits: Mapping[str, tuple[float, int]], now: datetime) -> bool:
        """Stop it, take it to its next step, or end it; whether anything of this was due."""
        if replay.frozen_at is None:
            if replay.state == Replay.State.CANCELED:
                replay.settled = True
                apart.forget(self._client, replay.apart)
            return replay.settled
        over = replay.state in (Replay.State.STOPPED, Replay.State.CANCELED)
        if not replay.in_flight and (over or (replay.state == Replay.State.RUNNING and not rules.waiting(replay))):
            if not over:
                replay.state, replay.ended_at = Replay.State.DONE, now
            elif replay.state == Replay.State.STOPPED and not rules.waiting(replay):
                replay.state, replay.why = Replay.State.DONE, ""  # all of them had begun: none is left to go on with
            replay.settled = True
            return True
        if replay.state != Replay.State.RUNNING:
            return False
        if replay.kind == Replay.Kind.RETRY and (why := rules.must_stop(replay, waits)):
            replay.state, replay.why, replay.ended_at = Replay.State.STOPPED, why, now
            return True
        return _advance(replay, now)

    def _release(self, replay: Replay, now: datetime) -> bool:
        """Let go those whose turn has come; whether there may be more at once."""
        if replay.state != Replay.State.RUNNING or replay.frozen_at is None or replay.chunk < 0:
            return False
        if replay.kind != Replay.Kind.RETRY:
            moving.move(self._client, self._transitions, replay, _GO, now)
            return True
        room = max(WINDOW - replay.in_flight, 0)
        rate = rules.rate_of(replay)
        if rate is None:
            room = min(room, replay.canary - replay.released)
        elif not rules.is_unlimited(replay):
            clock = self._clock()
            # As if it had gone on for the second before: a first step moves what each step does.
            throttle = self._throttles.setdefault(replay.pk, Throttle(clock - 1))
            room = min(room, throttle.allows(rate, clock))
        left, until = room, time.monotonic() + TURN
        while left > 0 and replay.chunk >= 0 and time.monotonic() < until:
            moved = moving.move(self._client, self._transitions, replay, min(left, _GO), now)
            # One that had moved already costs no time of a worker.
            left -= moved
            if rate:
                self._throttles[replay.pk].spend(moved)
            if rules.is_unlimited(replay):
                break
        return rules.is_unlimited(replay) and replay.chunk >= 0

    def _save(self, replay: Replay, chunks: list[ReplayChunk]) -> None:
        if replay.state == Replay.State.DONE and replay.undoes:
            self._client.delete(keys.undo(replay.undoes))  # there is nothing left that Undo could bring back
        with transaction.atomic():
            versions.save(replay, *_PROGRESS)
            ReplayChunk.objects.bulk_update(chunks, ["marks", "in_flight"])
            if not replay.settled:
                return
            if replay.state != Replay.State.STOPPED:
                ReplayChunk.objects.filter(replay=replay).delete()
            # In the same transaction: it is told once, whoever dies.
            with audited(actor=replay.actor, action=f"end_{replay.kind}", target=str(replay)) as told:
                told.count, told.sentence = replay.succeeded, outcome(replay)


def _advance(replay: Replay, now: datetime) -> bool:
    """To the next step of the ramp, when its time has come; whether it has."""
    if replay.kind != Replay.Kind.RETRY:
        return False
    if replay.step == CANARY:
        if replay.in_flight or replay.released < min(replay.canary, replay.size - replay.already):
            return False
    elif replay.step + 1 == len(replay.ramp) or _lasted(replay, now) < replay.step_seconds:
        return False
    replay.steps[-1]["seconds"] = round(_lasted(replay, now))
    replay.step += 1
    replay.steps.append({"step": replay.step})
    replay.step_began_at = now
    return True


def _lasted(replay: Replay, now: datetime) -> float:
    return (now - replay.step_began_at).total_seconds() if replay.step_began_at else 0.0
