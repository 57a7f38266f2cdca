"""What Prometheus scrapes (C10, E17)."""

import re
from pathlib import Path

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from queueadmin.console.figures import prometheus
from tests.console.conftest import Jobs

pytestmark = pytest.mark.django_db

OPERATING = (Path(__file__).resolve().parents[3] / "docs" / "operating.md").read_text()


LABELS = ("queue", "kind", "event", "state", "outcome", "le")


def scraped() -> dict[str, float]:
    """Each sample by its name and the values of its labels."""
    return {
        " ".join((sample.name, *(sample.labels[name] for name in LABELS if name in sample.labels))): sample.value
        for family in text_string_to_metric_families(prometheus.page().decode())
        for sample in family.samples
    }


def test_depths_counters_and_histograms_are_those_of_the_queues(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(2)
    jobs.enqueue(3)
    now = scraped()
    assert now["queueadmin_queue_depth high"] == 3
    assert now["queueadmin_queue_dead_letters high"] == 2
    assert now["queueadmin_jobs_total high enqueued"] == 5
    assert now["queueadmin_jobs_total high dead"] == 2
    assert now["queueadmin_run_seconds_count high alert"] == 2
    assert now["queueadmin_run_seconds_bucket high alert +Inf"] == 2
    assert now["queueadmin_redis_up"] == now["queueadmin_database_up"] == 1


def test_docs_list_every_metric_and_no_other(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(1)
    listed = set(re.findall(r"`(queueadmin_\w+)`", OPERATING.split("## Metrics")[1].split("\n## ")[0]))
    # Looked at by the publisher alone.
    built = {re.sub(r"_(bucket|count|sum|created)$", "", name.split()[0]) for name in scraped()}
    assert listed - {"queueadmin_unaccounted_jobs"} == built


def test_what_redis_knows_is_missing_while_it_is_away(no_redis: None) -> None:
    now = scraped()
    assert now["queueadmin_redis_up"] == 0
    assert not any(name.startswith("queueadmin_queue_") for name in now)
