"""Rule 9: what operators said of a word counts within seconds, in all processes; what no table knows is counted."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import redis
from django.db import OperationalError

from ingest.api import mappings, tally, unknown_words
from ingest.api.mappings import MappingRefused, Mappings
from ingest.models import ApiKey, FieldMapping, SeverityMapping
from tests.ingest.api.conftest import EVENTS, Post

GENERIC = "/api/v1/hooks/generic"
MakeKey = Callable[..., str]


def severity(post: Post, source: str, word: Any, **more: Any) -> dict[str, Any]:
    answer = post(EVENTS, {"title": "x", "source": source, "severity": word}, **more)
    return {**answer.json["severity"], "warnings": [each["code"] for each in answer.json["warnings"]]}


def test_a_mapped_word_counts_for_its_source(post: Post) -> None:
    assert severity(post, "billing", "apocalypse") == {
        "raw": "apocalypse",
        "mapped": "medium",
        "by": "default",
        "warnings": ["severity_unmapped"],
    }
    assert mappings.map_word("Billing", " Apocalypse", "critical") is True
    assert mappings.map_word("billing", "apocalypse", "critical") is False
    for source in ("billing", "BILLING", "billing/eu1", "billing:eu1"):
        said = severity(post, source, "APOCALYPSE ")
        assert (said["mapped"], said["by"], said["warnings"]) == ("critical", "mapping", [])
    assert severity(post, "shop", "apocalypse")["mapped"] == "medium"
    assert mappings.unmap_word("billing", "apocalypse") is True
    assert mappings.unmap_word("billing", "apocalypse") is False
    assert severity(post, "billing", "apocalypse")["mapped"] == "medium"


def test_it_wins_over_the_tables_and_an_explicit_priority_over_it(post: Post) -> None:
    mappings.map_word("zabbix", "5", "low")
    assert severity(post, "zabbix", 5)["mapped"] == "low"
    assert severity(post, "zabbix", 5.0)["mapped"] == "low"
    explicit = post(EVENTS, {"title": "x", "source": "zabbix", "severity": 5, "priority": "high"})
    assert explicit.json["severity"] == {"raw": "5", "mapped": "high", "by": "priority"}


def test_a_key_s_own_mapping_wins(post: Post, make_key: MakeKey) -> None:
    ours, theirs = make_key("ours"), make_key("theirs")
    key_id = ApiKey.objects.get(name="ours").pk
    mappings.map_word("shop", "odd", "high")
    mappings.map_word("shop", "odd", "critical", key_id=key_id)
    assert severity(post, "shop", "odd", headers={"x-api-key": ours})["mapped"] == "critical"
    assert severity(post, "shop", "odd", headers={"x-api-key": theirs})["mapped"] == "high"
    assert severity(post, "shop", "odd")["mapped"] == "high"


def test_a_hook_s_words_are_mapped_by_its_vendor_also_where_the_key_has_another_source(
    post: Post, make_key: MakeKey
) -> None:
    headers = {"x-api-key": make_key("edge", "ingest", "--source=prod-eu")}
    sent = {"status": "firing", "labels": {"alertname": "A", "severity": "sev-odd"}, "startsAt": ""}
    path = "/api/v1/hooks/alertmanager"
    before = post(path, sent, headers=headers).json
    assert (before["priority"], before["warnings"][0]["code"]) == ("medium", "severity_unmapped")
    mappings.map_word("alertmanager", "sev-odd", "critical")
    assert post(path, sent, headers=headers).json["priority"] == "critical"
    mappings.map_word("prod-eu", "sev-odd", "low")
    assert post(path, sent, headers=headers).json["priority"] == "low"
    # The vendor's own table counts whatever the source is called.
    page = {**sent, "labels": {"alertname": "A", "severity": "page"}}
    assert post(path, page, headers=headers).json["severity"]["by"] == "source"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("s", "w", "urgent"), "priority"),
        (("s", "", "high"), "word"),
        (("s", "w" * 101, "high"), "word"),
        (("s", "w\n\x00x", "high"), "word"),
        (("s" * 256, "w", "high"), "source"),
    ],
)
def test_what_cannot_be_mapped_is_said(transactional_db: None, arguments: tuple[str, str, str], field: str) -> None:
    with pytest.raises(MappingRefused) as refused:
        mappings.map_word(*arguments)
    assert refused.value.field == field
    with pytest.raises(MappingRefused):
        mappings.map_word("s", "w", "high", key_id=12345)
    assert SeverityMapping.objects.count() == 0


@pytest.mark.both_databases
def test_both_databases_keep_one_of_each(transactional_db: None) -> None:
    key = ApiKey.objects.create(name="k", prefix="qa_x", digest="d")
    for key_id in (None, key.pk):
        for priority in ("high", "low"):
            mappings.map_word("s", "w", priority, key_id=key_id)
            mappings.map_fields("s", {"title": priority}, key_id=key_id)
    assert SeverityMapping.objects.count() == FieldMapping.objects.count() == 2
    assert set(mappings.current().words.values()) == {"low"}
    key.delete()
    assert SeverityMapping.objects.count() == FieldMapping.objects.count() == 1


def test_other_processes_learn_of_it_within_seconds(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read last is asked for again beside the requests, and too old an answer before."""
    assert severity(post, "s", "odd")["mapped"] == "medium"
    SeverityMapping.objects.create(source="s", word="odd", priority="high")  # as another process does
    assert severity(post, "s", "odd")["mapped"] == "medium"
    monkeypatch.setattr(mappings, "FRESH_SECONDS", 0.0)
    assert severity(post, "s", "odd")["mapped"] == "high"


def test_while_the_database_is_away_those_of_before_hold(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    mappings.map_word("s", "odd", "high")
    assert severity(post, "s", "odd")["mapped"] == "high"
    monkeypatch.setattr(mappings, "FRESH_SECONDS", 0.0)
    with patch.object(mappings, "_load", side_effect=OperationalError("away")) as asked:
        for _ in range(3):
            assert severity(post, "s", "odd")["mapped"] == "high"
    assert asked.call_count == 1


# --- fields of the generic hook ---------------------------------------------------------------------

BODY = {
    "event": {"what": "Disk full", "how": ["bad", "P1"], "ref": 17, "when": 1795766400},
    "state": "CLEAR",
    "host": {"name": "nas-1"},
    "title": "no",
}
FIELDS = {
    "title": "event.what",
    "severity": "event.how.1",
    "dedup_key": "event.ref",
    "occurred_at": "event.when",
    "labels.host": "host.name",
    "source": "nowhere.at.all",
}


def test_fields_are_taken_from_where_they_are_mapped(post: Post, make_key: MakeKey, empty_redis: redis.Redis) -> None:
    import json

    from ingest.queue.payload import decode

    headers = {"x-api-key": make_key("nas", "ingest", "--source=nas")}
    assert post(GENERIC, BODY, headers=headers).json["priority"] == "medium"
    mappings.map_fields("nas", FIELDS)
    receipt = post(GENERIC, BODY, headers=headers).json
    assert (receipt["priority"], receipt["severity"]["raw"]) == ("critical", "P1")
    event = json.loads(decode(empty_redis.hget(f"rq:job:{receipt['id']}", "data") or b"", receipt["id"]).body)
    assert (event["title"], event["dedup_key"], event["labels"]) == ("Disk full", "17", {"host": "nas-1"})
    assert event["occurred_at"] == "2026-11-27T08:00:00+00:00"
    assert event["payload"] == BODY
    assert post(GENERIC, BODY, headers=headers).json["duplicate"] is True
    # By the body's own source as well; of others it says nothing.
    assert post(GENERIC, {**BODY, "source": "NAS"}).json["priority"] == "critical"
    assert post(GENERIC, BODY).json["priority"] == "medium"
    assert mappings.unmap_fields("nas") is True
    assert post(GENERIC, BODY, headers=headers).json["priority"] == "medium"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "x"},
        {"labels.": "x"},
        {"title": ""},
        {"title": "a..b"},
        {"title": "a\n"},
        {"title": 7},
        {"title": "a" * 201},
        {f"labels.{number}": "x" for number in range(51)},
    ],
)
def test_what_is_no_field_mapping_is_said(transactional_db: None, fields: Any) -> None:
    with pytest.raises(MappingRefused) as refused:
        mappings.map_fields("s", fields)
    assert refused.value.field == "fields"


def test_a_mapping_meets_any_body(post: Post) -> None:
    mappings.map_fields("generic", {"title": "a.0.b", "labels.x": "a.0", "severity": "a.99999999999999999999"})
    for body in ({"a": [{"b": {}}]}, {"a": [[]]}, {"a": 7, "labels": 7}, {"a": None}, {"a": [{"b": "T"}]}, {}):
        assert post(GENERIC, body).status in (202, 422)


def test_nothing_is_mapped_without_mappings() -> None:
    assert Mappings().priority("x", ("s",), 1) is None
    assert Mappings().fields_of("s", None) == {}


# --- severities that no table knows -----------------------------------------------------------------


def test_unknown_words_are_counted_by_source_and_word_until_they_are_mapped(
    post: Post, empty_redis: redis.Redis
) -> None:
    for word in ("odd", "ODD ", "odd", 77):
        severity(post, "shop", word)
    severity(post, "billing", "odd")
    severity(post, "shop", "critical")
    post(EVENTS, {"title": "x", "source": "shop", "severity": "odd", "priority": "low"})
    tally.settle()
    found = {(each.source, each.word): each.events for each in unknown_words.read()}
    assert found == {("shop", "odd"): 3, ("shop", "77"): 1, ("billing", "odd"): 1}
    assert all(each.last_seen > 1.7e9 for each in unknown_words.read())
    mappings.map_word("shop", "odd", "high")
    assert {(each.source, each.word) for each in unknown_words.read()} == {("shop", "77"), ("billing", "odd")}


def test_the_newest_unknown_words_are_kept(
    post: Post, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "WORDS", 3)
    for number in range(5):
        severity(post, "s", f"word {number}")
        tally.settle()
    assert {each.word for each in unknown_words.read()} == {"word 2", "word 3", "word 4"}
    assert empty_redis.hlen("rq:qa:tally:words:counts") == 3


def test_without_redis_they_are_this_process_s(post: Post, settings: Any) -> None:
    settings.REDIS = False
    severity(post, "s", "odd")
    assert [(each.source, each.word, each.events) for each in unknown_words.read()] == [("s", "odd", 1)]
