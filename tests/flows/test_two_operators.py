"""Two operators press Retry on the same dead letter at once: one requeue, and the other is told who and when."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import requests

from ingest.queue import keys
from tests.conftest import wait_until
from tests.instance import Instance

ROUNDS = 200
OPERATORS = ("ada", "bob")


def _key(instance: Instance, name: str) -> str:
    return instance.manage("api_key", "create", name, "--scopes", "admin,ingest").splitlines()[-1].strip()


def _dead_letters(instance: Instance, count: int) -> list[str]:
    """So many fresh ones, made by the running worker."""
    events = [{"title": f"round {number}", "severity": "medium", "fault": "permanent"} for number in range(count)]
    headers = {"Prefer": "return=representation"}
    answer = requests.post(f"{instance.url}/api/v1/events", json=events, headers=headers, timeout=60)
    ids = [item["id"] for item in answer.json()["items"]]
    with instance.redis() as client:
        failed = keys.failed("medium")
        wait_until(lambda: all(score is not None for score in client.zmscore(failed, ids)), what="the dead letters")
    return ids


def test_d4_of_two_operators_one_requeues_and_the_other_is_told(instance: Instance) -> None:
    """200 times, through the API, each pair let go by a barrier; the queues are paused so that nothing runs between."""
    sessions = []
    for name in OPERATORS:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {_key(instance, name)}"
        sessions.append(session)
    ids = _dead_letters(instance, ROUNDS)
    assert sessions[0].post(f"{instance.url}/api/v1/queues/pause", timeout=60).json()["paused"]
    with instance.redis() as client:
        before = int(client.hget(keys.counters("medium"), "requeued") or 0)
    barrier = threading.Barrier(len(sessions))

    def press(session: requests.Session, job_id: str) -> requests.Response:
        barrier.wait(60)
        return session.post(f"{instance.url}/api/v1/jobs/{job_id}/retry", timeout=60)

    winners = set()
    try:
        with ThreadPoolExecutor(len(sessions)) as threads:
            for number, job_id in enumerate(ids):
                # Whoever stands at the barrier last goes first more often, so they take turns.
                order = (0, 1) if number % 2 else (1, 0)
                began = datetime.now(UTC) - timedelta(seconds=1)
                pressed = [threads.submit(press, sessions[who], job_id) for who in order]
                answers = [pressed[order.index(who)].result() for who in (0, 1)]
                assert sorted(answer.status_code for answer in answers) == [202, 409], [a.text for a in answers]
                first = OPERATORS[[answer.status_code for answer in answers].index(202)]
                told = next(answer for answer in answers if answer.status_code == 409).json()
                assert (told["code"], told["state"], told["moved_by"]) == ("already_moved", "queued", f"key:{first}")
                assert began < datetime.fromisoformat(told["moved_at"]) < datetime.now(UTC) + timedelta(seconds=1)
                winners.add(first)
        with instance.redis() as client:
            assert int(client.hget(keys.counters("medium"), "requeued")) - before == ROUNDS
            waiting = Counter(member.decode() for member in client.lrange(keys.queue("medium"), 0, -1))
            assert all(waiting[job_id] == 1 for job_id in ids)
    finally:
        sessions[1].post(f"{instance.url}/api/v1/queues/resume", timeout=60)
    assert winners == set(OPERATORS), "one was always faster: the barrier lets nobody race"
