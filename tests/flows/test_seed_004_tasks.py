"""The fourth source's own usage section, step by step, against real processes (requirements E1 to E18, issue 6).

Each test is one heading of it, in its order; they share one instance and build on nothing of one another.
"""

import itertools
from datetime import datetime

import requests

from tests.conftest import wait_until
from tests.flows.conftest import Agents


def test_1_enqueue_tasks(agents: Agents) -> None:
    """E1, E14: with an id that is the idempotency key, a priority, and its position."""
    assert agents.press("/api/v1/queues/pause").status_code == 200
    first, second = (agents.enqueue("note", priority="high") for _ in range(2))
    assert (first["position"], second["position"]) == (1, 2)
    again = agents.enqueue("note", task_id=first["task_id"], priority="high")
    assert (again["duplicate"], again["id"], again["position"]) == (True, first["id"], 1)
    job = agents.job(second["id"])
    assert (job["task_type"], job["state"], job["position"], job["ahead"]) == ("note", "queued", 2, 1)
    agents.press("/api/v1/queues/resume")
    for receipt in (first, second):
        agents.until(receipt["id"], "finished")
    assert agents.notes().count(first["task_id"]) == agents.notes().count(second["task_id"]) == 1


def test_2_worker_processing(agents: Agents) -> None:
    """E1, E6: the result, the times, and which worker did it."""
    receipt = agents.enqueue("note", priority="normal")
    job = agents.until(receipt["id"], "finished")
    assert job["result"] == receipt["task_id"]
    assert job["received_at"] <= job["started_at"] <= job["finished_at"]
    worker = agents.instance.redis().hget(f"rq:job:{receipt['id']}", "worker_name")
    assert worker
    assert agents.instance.redis().exists(f"rq:worker:{worker.decode()}")


def test_3_monitor_the_queue(agents: Agents) -> None:
    """E5, E17: sizes, a success rate, per type as well, and how busy the workers are."""
    before = agents.statistics("task_type=note")
    for receipt in [agents.enqueue("note") for _ in range(3)]:
        agents.until(receipt["id"], "finished")
    now = agents.statistics("task_type=note")
    assert now["completed"] == before["completed"] + 3
    assert (now["pending"], now["processing"], now["dead"], now["success_rate"]) == (0, 0, 0, 100.0)
    whole = agents.statistics()
    assert {"note", "dev", "qa", "fix", "deploy", "endless", "scratch"} <= set(whole["task_types"])
    assert whole["workers"]["workers"] == 1
    assert 0 <= whole["workers"]["utilisation"] <= 100


def test_priority_levels(agents: Agents) -> None:
    """E2: CRITICAL > HIGH > NORMAL > LOW, by words and by the source's numbers."""
    agents.press("/api/v1/queues/pause")
    said = [0, "normal", 3, "low", 2, "critical", 1, "high"]
    sent = [(agents.enqueue("note", priority=priority)) for priority in said]
    assert [receipt["queue"] for receipt in sent] == [
        *("low", "medium", "critical", "low", "high", "critical", "medium", "high")
    ]
    begun = len(agents.notes())
    agents.press("/api/v1/queues/resume")
    for receipt in sent:
        agents.until(receipt["id"], "finished")
    order = {receipt["task_id"]: receipt["queue"] for receipt in sent}
    ran = [order[task_id] for task_id in agents.notes()[begun:]]
    assert ran == [*["critical"] * 2, *["high"] * 2, *["medium"] * 2, *["low"] * 2]


def test_retry_logic(agents: Agents) -> None:
    """E3: at once, after 2 s, after 4 s, then the dead letters; put back by hand it has all its retries again."""
    receipt = agents.enqueue("dev", {"subtask": "x", "fault": "error:4"})
    job = agents.until(receipt["id"], "failed")
    assert (job["attempts"], job["attempts_left"], job["error"]["reason"]) == (4, 0, "error")
    stream = agents.instance.redis().xrange(f"rq:results:{receipt['id']}")
    times = [(float(f[b"execution_started_at"]), float(f[b"execution_ended_at"])) for _, f in stream]
    waits = [started - ended for (_, ended), (started, _) in itertools.pairwise(times)]
    # Promises, with 10 % jitter; how much later than promised is the machine's matter.
    assert [wait >= least for wait, least in zip(waits, (0, 1.8, 3.6), strict=True)] == [True] * 3
    assert agents.press(f"/api/v1/jobs/{receipt['id']}/retry", reason="the model is back").status_code == 202
    job = agents.until(receipt["id"], "finished")
    assert job["attempts"] == 5


def test_fail_permanently(agents: Agents) -> None:
    """E3: `retry=False` goes straight to the dead letters."""
    job = agents.until(agents.enqueue("dev", {"fault": "permanent"})["id"], "failed")
    assert (job["attempts"], job["error"]["reason"]) == (1, "permanent")
    job = agents.until(agents.enqueue("dev")["id"], "failed")
    assert job["error"]["message"] == "payload.subtask says what to do"


def test_dead_letter_queue(agents: Agents) -> None:
    """E4: list the dead tasks with their errors, fix one, retry it."""
    receipt = agents.enqueue("dev", {}, priority="low")
    agents.until(receipt["id"], "failed")
    listed = agents.get("/api/v1/jobs?filter=state:failed kind:task&limit=500")["items"]
    (dead,) = [job for job in listed if job["id"] == receipt["id"]]
    assert dead["error"]["message"] == "payload.subtask says what to do"
    event = {"task_type": "dev", "task_id": receipt["task_id"], "payload": {"subtask": "docs"}}
    agents.python(f"client.update_payload({receipt['id']!r}, {event!r})")
    assert agents.press(f"/api/v1/jobs/{receipt['id']}/retry").status_code == 202
    assert agents.until(receipt["id"], "finished")["result"]["lines"] == 2


def test_without_dead_letters(agents: Agents) -> None:
    """E15: `enable_dlq=False`: into the trash instead, and counted."""

    def dropped() -> int:
        return int(agents.instance.redis().hget("rq:qa:kind:task:scratch", "dropped") or 0)

    before, dead = dropped(), agents.statistics("task_type=scratch")["dead"]
    agents.until(agents.enqueue("scratch")["id"], "trash")
    assert (dropped(), agents.statistics("task_type=scratch")["dead"]) == (before + 1, dead)


def test_hints_and_time_to_live(agents: Agents) -> None:
    """E16: retry hints in the payload; the time to live starts after the end."""
    receipt = agents.enqueue("dev", {"subtask": "x", "fault": "error", "max_retries": 1})
    assert agents.until(receipt["id"], "failed")["attempts"] == 2
    done = agents.until(agents.enqueue("note")["id"], "finished")
    lives = agents.instance.redis().ttl(f"rq:job:{done['id']}")
    assert 86_000 < lives <= 86_400


def test_progress_and_cancel(agents: Agents) -> None:
    """Issue 6: a running task tells how far it is, is asked to end, and is canceled."""
    receipt = agents.enqueue("endless")
    wait_until(lambda: (agents.job(receipt["id"])["progress"] or 0) > 1, what="progress")
    answer = agents.press(f"/api/v1/jobs/{receipt['id']}/cancel", reason="wrong branch")
    assert answer.status_code == 202, answer.text
    job = agents.until(receipt["id"], "canceled")
    assert job["moved_by"] == "key:agents"
    waiting = agents.enqueue("note", delay_seconds=600)
    assert agents.press(f"/api/v1/jobs/{waiting['id']}/cancel").json()["state"] == "canceled"


def test_the_pipeline_manager(agents: Agents) -> None:
    """E18: the pipeline on top of the queue, as the example has it: what qa refuses is fixed, and then shipped once."""
    run = "from asgiref.sync import async_to_sync; from pipeline import PipelineManager as P; import json; "
    line = f"{run}print(json.dumps(async_to_sync(P().run)('p-1', 'api: login', careless=True)))"
    steps = agents.instance.manage("shell", "-v", "0", "-c", line)
    assert '"deployed": "# api: login"' in steps
    assert '"fixed": true' in steps
    chain = [f"p-1{rest}" for rest in ("", "/qa", "/qa/fix", "/qa/fix/qa", "/qa/fix/qa/deploy")]
    found = {
        job["event_id"]: job for job in agents.get("/api/v1/jobs?filter=kind:task state:finished&limit=500")["items"]
    }
    assert set(chain) <= set(found)
    assert {found[task_id]["queue"] for task_id in chain} == {"high"}


def test_health_checks(agents: Agents) -> None:
    """E7, E8: healthy, with the numbers; over 100 dead letters it is degraded, and says so."""
    health = agents.get("/health")
    assert health["redis"]["status"] == "connected"
    assert health["status"] in ("healthy", "degraded")
    for receipt in [agents.enqueue("dev", {}, priority="low") for _ in range(101)]:
        agents.until(receipt["id"], "failed")
    wait_until(lambda: agents.get("/health")["status"] == "degraded")
    assert any("dead letters" in reason for reason in agents.get("/health")["reasons"])
    assert int(agents.python("client.remove_dead(kind='task')")) >= 101


def test_cleanup_operations(agents: Agents) -> None:
    """E7: clear completed tasks that are older than so long."""
    done = agents.until(agents.enqueue("note")["id"], "finished")
    assert agents.job(done["id"])["result"]
    old, rest = agents.python("client.clear_completed(older_than=86400), client.clear_completed()").split()
    assert (old, int(rest) >= 1) == ("0", True)
    assert agents.job(done["id"])["result"] is None


def test_tasks_stuck_in_processing(agents: Agents) -> None:
    """E9: a worker is killed under its tasks: stale ones run again by themselves, nothing is lost, nothing doubled."""
    # Long enough to be seen while it runs on a busy machine.
    slow = agents.enqueue("note", {"fault": "slow:5"}, priority="critical")
    sent = [agents.enqueue("note") for _ in range(20)]
    wait_until(lambda: agents.job(slow["id"])["state"] == "started")
    agents.instance.kill("worker-1")
    for receipt in (slow, *sent):
        agents.until(receipt["id"], "finished")
    notes = agents.notes()
    assert [notes.count(receipt["task_id"]) for receipt in (slow, *sent)] == [1] * 21
    assert agents.job(slow["id"])["attempts"] == 2
    assert "accounted for" in agents.instance.manage("verify")


def test_unknown_types_are_refused(agents: Agents) -> None:
    answer = requests.post(f"{agents.instance.url}/api/tasks", json={"task_type": "nobody"}, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_task_type")


def test_the_demos_tasks_run(agents: Agents) -> None:
    """Computes in a process, waits on the network, tells how far it is: what `make demo` sends."""
    sent = [
        agents.enqueue("demo-primes", {"below": 1000}),
        agents.enqueue("demo-fetch", {"milliseconds": 10}),
        agents.enqueue("demo-report", {"pages": 5, "milliseconds": 1}),
    ]
    primes, fetched, reported = (agents.until(receipt["id"], "finished")["result"] for receipt in sent)
    assert primes == {"below": 1000, "primes": 168}
    assert fetched == {"said": sent[1]["task_id"].upper(), "attempt": 1}
    assert reported == {"pages": 5}
    assert datetime.fromisoformat(agents.job(sent[2]["id"])["finished_at"])
