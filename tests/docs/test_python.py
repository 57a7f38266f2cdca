"""docs/python.md: its examples run, its tables have every function of the sources, and what they name here exists."""

import ast
import doctest
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django_rq
import pytest
import redis
from asgiref.sync import async_to_sync
from django.conf import settings

from ingest import client
from ingest.kinds import KINDS, Kind

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text()
FUNCTIONS = {name for name in client.__all__ if inspect.isfunction(getattr(client, name))}

#: What the usage sections of the five sources name (docs/requirements.md: A is Keep, B BullMQ, C GPS, D chat, E tasks).
SOURCES = {
    "Keep's alerts": """RedisClient.get_instance RedisClient.get_client RedisClient.ping QueueManager.determine_priority
        QueueManager.enqueue_alert QueueManager.dequeue_alert QueueManager.complete_processing
        QueueManager.fail_processing QueueManager.get_queue_metrics QueueManager.clear_stalled_processing""",
    "BullMQ": """Queue queue.add priority delay repeat.pattern limiter.max limiter.duration Worker concurrency
        maxStalledCount stalledInterval lockDuration lockRenewTime worker.on("completed") worker.on("failed")
        worker.on("progress") attempts backoff timeout removeOnComplete removeOnFail jobId queue.addBulk
        queue.getJobCounts queue.getJob queue.getWaiting queue.getActive queue.getFailed queue.getCompleted queue.clean
        queue.pause queue.resume queue.isPaused job.retry job.remove worker.isRunning job.data job.failedReason
        job.stacktrace job.timestamp""",
    "GPS points": """RedisPointQueue PointProcessor live_points upload_points flymaster_points scoring_points
        total_pending processor_stats.processed processor_stats.failed /queue/status /health FLUSHDB""",
    "Chat queue": """enqueue_chat_request get_queue_position get_user_request get_queue_length process_chat_request
        start_queue_processor stop_queue_processor status_callback RedisQueueManager RedisQueueManager.prefix
        RedisQueueManager.default_ttl RedisQueueManager.max_retries RedisQueueManager.retry_delay_base
        RedisQueueManager.lock_expiry queue_manager.enqueue queue_manager.get_message queue_manager.update_message
        queue_manager.remove_message queue_manager.start_processor queue_manager.stop_processor queue_manager.get_stats
        redis.zrange redis.zrem redis.zadd""",
    "Agent tasks": """RedisTaskQueue RedisTaskQueue.max_retries RedisTaskQueue.task_ttl_seconds
        RedisTaskQueue.enable_dlq queue.connect queue.enqueue queue.dequeue queue.complete_task queue.fail_task
        queue.get_queue_size queue.get_statistics queue.list_tasks queue.retry_dlq_task queue.clear_completed
        queue.redis.ping queue.redis.scard TaskPriority check_stale_tasks connect_with_retry worker_id""",
}


def _rows(source: str) -> list[list[str]]:
    """The cells of one source's table."""
    section = TEXT.split(f"### {source}\n", 1)[1].split("\n### ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


# --- the tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_every_function_that_a_source_names_is_in_its_table(source: str) -> None:
    named = {
        code.removeprefix("new ").removeprefix("GET ").removeprefix("redis-cli ")
        for row in _rows(source)
        for code in _code(row[0])
    }
    named |= {code.partition("(")[0] for code in named if "(" in code and "worker.on" not in code}
    assert sorted(set(SOURCES[source].split()) - named) == []


@pytest.mark.parametrize("source", SOURCES)
def test_every_row_has_three_cells_and_says_what_it_is_here(source: str) -> None:
    for row in _rows(source):
        assert len(row) == 3, row
        assert row[0], row
        assert row[1], row


def test_all_that_is_named_of_ours_exists() -> None:
    named = set(re.findall(r"\bclient\.(\w+)", TEXT)) - {"aio"}
    assert named - set(client.__all__) == {"errors"}, "a module, in the name of an error"
    members: dict[str, Any] = {"get": client.Job, "counts": client.Counts, "statistics": client.Statistics}
    for function, member in re.findall(r"`client\.(\w+)\([^)`]*\)\.(\w+)`", TEXT):
        assert hasattr(members[function], member), f"{function}().{member}"
    for parameter in re.findall(r"\bKind\((\w+)=", TEXT):
        assert parameter in inspect.signature(Kind).parameters


def test_every_function_of_ours_is_named() -> None:
    named = set(re.findall(r"\bclient\.(\w+)", TEXT))
    assert sorted(FUNCTIONS - named) == []


def test_every_error_is_in_the_table() -> None:
    errors = {
        name for name in client.__all__ if inspect.isclass(cls := getattr(client, name)) and issubclass(cls, Exception)
    }
    assert errors <= set(re.findall(r"^\| `client\.(\w+)`", TEXT, flags=re.MULTILINE))


# --- the examples --------------------------------------------------------------------------------


def _blocks() -> Iterator[tuple[str, str]]:
    """Each example with its language; `worker` where one runs."""
    for language, code, worker in re.findall(r"```(python|pycon)\n(.*?)```|(<!-- a worker runs -->)", TEXT, re.DOTALL):
        yield ("worker", "") if worker else (language, code)


@pytest.fixture
def _kinds() -> Iterator[None]:
    before = dict(KINDS)
    yield
    KINDS.clear()
    KINDS.update(before)


async def _awaited(code: str, names: dict[str, Any]) -> None:
    await eval(compile(code, "docs/python.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)  # noqa: S307


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_kinds")
def test_the_examples_run(empty_redis: redis.Redis) -> None:
    names: dict[str, Any] = {"__name__": "docs.python"}
    for language, code in _blocks():
        if language == "worker":
            django_rq.get_worker(*settings.PRIORITIES).work(burst=True)
        elif language == "pycon":
            test = doctest.DocTestParser().get_doctest(code, names, "docs/python.md", None, 0)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
            told: list[str] = []
            runner.run(test, out=told.append, clear_globs=False)
            assert not runner.failures, "".join(told)
            names = test.globs
        elif "await " in code:
            async_to_sync(_awaited)(code, names)
        else:
            exec(code, names)  # noqa: S102 - our own page
