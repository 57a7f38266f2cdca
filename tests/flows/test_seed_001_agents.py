"""The second source's own usage section (BullMQ for agents), step by step, against real processes (B1 to B19).

Each test is one heading of it, in its order. Not here: what it says of Redis' and Kubernetes' set-up, and of metrics;
B9 and B12 are walked through with the tasks, B7 by the callbacks' own flow.
"""

from datetime import datetime

import requests

from tests.conftest import wait_until
from tests.flows.conftest import Agents


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_queue_types_standard_and_priority(agents: Agents) -> None:
    """B3: `add`, and the worker's return value; urgent before background."""
    agents.press("/api/v1/queues/pause")
    background, urgent = agents.enqueue("note", priority="low"), agents.enqueue("note", priority="critical")
    agents.press("/api/v1/queues/resume")
    assert agents.until(background["id"], "finished")["result"] == background["task_id"]
    agents.until(urgent["id"], "finished")
    notes = agents.notes()
    assert notes.index(urgent["task_id"]) < notes.index(background["task_id"])


def test_queue_types_delayed(agents: Agents) -> None:
    """B1: not before its time, and at once when somebody says so."""
    soon, later = agents.enqueue("note", delay_seconds=1), agents.enqueue("note", delay_seconds=3600)
    assert (soon["status"], later["status"]) == ("scheduled", "scheduled")
    job = agents.until(soon["id"], "finished")
    assert moment(job["started_at"]) >= moment(job["received_at"]) + 1
    assert agents.job(later["id"])["state"] == "scheduled"
    assert agents.press(f"/api/v1/jobs/{later['id']}/run-now").status_code == 200
    agents.until(later["id"], "finished")


def test_queue_types_recurring(agents: Agents) -> None:
    """B2: every so often, each due time once."""
    rule = {"name": "cleanup", "kind": "task", "body": {"task_type": "note"}, "interval_seconds": 1}
    assert agents.press("/api/v1/schedules", **rule).status_code in (200, 201)
    listed = "/api/v1/jobs?filter=kind:task state:finished&limit=500"

    def fired() -> list[str]:
        return [job["event_id"] for job in agents.get(listed)["items"] if str(job["event_id"]).startswith("cleanup@")]

    wait_until(lambda: len(fired()) >= 2, what="two due times")
    assert agents.press("/api/v1/schedules/cleanup/pause").status_code == 200
    assert len(fired()) == len(set(fired()))
    requests.delete(f"{agents.instance.url}/api/v1/schedules/cleanup", headers={"X-API-KEY": agents.key}, timeout=60)


def test_queue_types_rate_limited(agents: Agents) -> None:
    """B4: at most so many in a window, also of one task type; what is over it waits and holds nothing else back."""
    agents.press("/api/v1/queues/pause")
    limited = [agents.enqueue("note") for _ in range(4)]
    other = agents.enqueue("demo-fetch", {"milliseconds": 1})
    agents.python("client.set_rate_limit('kind', 'task:note', most=2, seconds=3)")
    agents.press("/api/v1/queues/resume")
    agents.until(other["id"], "finished")
    starts = sorted(moment(agents.until(receipt["id"], "finished")["started_at"]) for receipt in limited)
    assert starts[2] >= starts[0] + 3
    assert moment(agents.job(other["id"])["started_at"]) < starts[2]
    assert agents.python("client.remove_rate_limit('kind', 'task:note')") == "True"


def test_job_options(agents: Agents) -> None:
    """B5, B10, B11, B12: attempts, a timeout, results for 24 hours, an id that deduplicates."""
    slow = agents.enqueue("dev", {"subtask": "x", "fault": "slow:60", "timeout": 1, "max_retries": 0})
    job = agents.until(slow["id"], "failed")
    assert (job["attempts"], job["error"]["reason"]) == (1, "timeout")
    tried = agents.until(
        agents.enqueue("dev", {"subtask": "x", "fault": "error:2", "max_retries": 2})["id"], "finished"
    )
    assert tried["attempts"] == 3
    assert 86_000 < agents.instance.redis().ttl(f"rq:job:{tried['id']}") <= 86_400
    assert agents.enqueue("dev", {"subtask": "x"}, task_id="unique-task-123")["duplicate"] is False
    assert agents.enqueue("dev", {"subtask": "x"}, task_id="unique-task-123")["duplicate"] is True


def test_progress(agents: Agents) -> None:
    """B6, B8: the last progress and the log stand on the job, while others run beside it."""
    report = agents.enqueue("demo-report", {"pages": 40, "milliseconds": 50})
    agents.until(agents.enqueue("demo-fetch", {"milliseconds": 1})["id"], "finished")
    assert agents.job(report["id"])["state"] == "started"
    job = agents.until(report["id"], "finished")
    assert (job["progress"], job["result"]) == ({"page": 40, "of": 40}, {"pages": 40})


def test_add_jobs_in_bulk_count_retrieve_and_clear(agents: Agents) -> None:
    """B13 to B16: many at once, how many wait, by id and by state, and a queue emptied with a way back."""
    agents.press("/api/v1/queues/low/pause")
    several = [{"kind": "task", "task_type": "note", "task_id": f"bulk-{n}", "priority": "low"} for n in range(5)]
    answer = requests.post(
        f"{agents.instance.url}/api/v1/events", json=several, headers={"Prefer": "return=representation"}, timeout=60
    )
    ids = [item["id"] for item in answer.json()["items"]]
    assert (answer.status_code, len(ids)) == (202, 5)
    assert agents.get("/queue/status")["queues"]["low"]["pending"] == 5
    waiting = agents.get("/api/v1/jobs?filter=state:queued queue:low")["items"]
    assert [job["id"] for job in waiting] == ids
    assert [job["position"] for job in waiting] == [1, 2, 3, 4, 5]
    assert agents.press("/api/v1/queues/low/empty", reason="a wrong batch").json()["trashed"] == 5
    assert agents.get("/queue/status")["queues"]["low"]["pending"] == 0
    for job_id in ids:
        assert agents.press(f"/api/v1/jobs/{job_id}/restore").json()["state"] == "queued"
    agents.press("/api/v1/queues/low/resume")
    for job_id in ids:
        agents.until(job_id, "finished")


def test_pause_and_resume(agents: Agents) -> None:
    """B17: a paused queue runs nothing, whatever comes; others go on."""
    assert agents.press("/api/v1/queues/low/pause", minutes=5).json()["paused"] is True
    held = agents.enqueue("note", priority="low")
    agents.until(agents.enqueue("note", priority="high")["id"], "finished")
    low = next(queue for queue in agents.get("/api/v1/queues")["items"] if queue["name"] == "low")
    assert low["paused"] is True
    assert agents.job(held["id"])["state"] == "queued"
    assert agents.press("/api/v1/queues/low/resume").json()["paused"] is False
    agents.until(held["id"], "finished")


def test_retry_failed_jobs_and_remove_jobs(agents: Agents) -> None:
    """B18, B19: one, all that match; one thrown away and brought back, all removed."""
    dead = [agents.enqueue("dev", {"subtask": "x", "fault": "error:1", "max_retries": 0}) for _ in range(3)]
    for receipt in dead:
        agents.until(receipt["id"], "failed")
    first, *others = (receipt["id"] for receipt in dead)
    assert agents.press(f"/api/v1/jobs/{first}/retry").status_code == 202
    agents.until(first, "finished")
    agents.instance.manage("dlq", "retry", "kind:task error:FaultError", "--yes")
    for job_id in others:
        agents.until(job_id, "finished")
    wrong = agents.enqueue("dev")["id"]
    agents.until(wrong, "failed")
    assert agents.press(f"/api/v1/jobs/{wrong}/discard").json()["state"] == "trash"
    assert agents.press(f"/api/v1/jobs/{wrong}/restore").json()["state"] == "failed"
    assert int(agents.python("client.remove_dead(kind='task')")) >= 1
    assert agents.job(wrong)["state"] == "trash"
