"""A development pipeline on top of the queue: each step is a task, and the one before sends it.

    PYTHONPATH=examples INGEST_HANDLERS=pipeline make run

`dev` writes a file, `qa` looks at it, `fix` repairs what qa found and sends it back to qa, `deploy` ships what is good.
A step's task_id is made of the one before, so a step that runs twice sends the next one once.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from ingest.client import aio
from ingest.kinds import Context, Task, task
from ingest.kinds.errors import PermanentError

#: What a subtask is called by decides how urgent it is.
URGENT = {"hotfix": "critical", "security": "critical", "api": "high", "docs": "low"}


def assign_priority(subtask: str) -> str:
    return next((priority for word, priority in URGENT.items() if word in subtask), "normal")


@dataclass
class PipelineManager:
    """Sends work into the pipeline and looks at what became of it; any process of the project may have one."""

    #: Seconds between two looks at a task that is awaited.
    look: float = 0.1

    async def submit_dev_task(self, task_id: str, subtask: str, **more: Any) -> str:
        """The job's id; the same task_id again is the same task."""
        receipt = await aio.enqueue(
            "task",
            task_id=task_id,
            task_type="dev",
            payload={"subtask": subtask, **more},
            priority=assign_priority(subtask),
        )
        return receipt.id

    async def ended(self, job_id: str) -> Any:
        """What the task returned. Raises RuntimeError when it is a dead letter, or was canceled."""
        while True:
            job = await aio.get(job_id)
            if job.state == "finished":
                return job.result
            if job.state in ("failed", "trash", "canceled"):
                raise RuntimeError(f"{job.task_type} task {job.event_id} is {job.state}")
            await asyncio.sleep(self.look)

    async def run(self, task_id: str, subtask: str, **more: Any) -> dict[str, Any]:
        """One subtask through all steps; what each returned, by its task type."""
        job_id: str | None = await self.submit_dev_task(task_id, subtask, **more)
        steps: dict[str, Any] = {}
        while job_id is not None:
            job = await aio.get(job_id)
            result = await self.ended(job_id)
            steps[str(job.task_type)] = result
            job_id = result["next"]
        return steps

    async def health(self) -> dict[str, Any]:
        """The source's health check."""
        found = await aio.statistics("task")
        return {
            "status": "healthy" if found.dead <= 100 else "degraded",
            "pending": found.pending,
            "processing": found.processing,
            "dlq_size": found.dead,
            "success_rate": found.success_rate,
        }


async def send(step: str, given: Task, payload: dict[str, Any]) -> str:
    """The next step, as urgent as this one."""
    receipt = await aio.enqueue(
        "task", task_id=f"{given.task_id}/{step}", task_type=step, payload=payload, priority=given.priority
    )
    return receipt.id


@task("dev", timeout=600)
async def dev(given: Task, context: Context) -> dict[str, Any]:
    subtask = given.payload.get("subtask")
    if not subtask:
        raise PermanentError("payload.subtask says what to do")
    context.progress("writes")
    code = f"# {subtask}\n" + ("" if given.payload.get("careless") else "assert True\n")
    return {"lines": code.count("\n"), "next": await send("qa", given, {"code": code})}


@task("qa", timeout=300)
async def qa(given: Task, context: Context) -> dict[str, Any]:
    passed = "assert" in given.payload["code"]
    context.log("it has a test" if passed else "it has no test")
    return {"passed": passed, "next": await send("deploy" if passed else "fix", given, given.payload)}


@task("fix", retries=1)
async def fix(given: Task, context: Context) -> dict[str, Any]:
    code = given.payload["code"] + "assert True\n"
    return {"fixed": True, "next": await send("qa", given, {"code": code})}


@task("deploy", retries=0)
async def deploy(given: Task, context: Context) -> dict[str, Any]:
    """Once, whatever happens: the key is the same in every execution."""
    return {"deployed": given.payload["code"].splitlines()[0], "as": context.idempotency_key, "next": None}
