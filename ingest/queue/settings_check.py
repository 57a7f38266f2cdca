"""Is this Redis safe to hold accepted events? Asked at start, shown red in the console otherwise."""

import time
from dataclasses import dataclass
from typing import Any, Final

import redis

#: Older servers lack LPOP with a count and LPOS.
LEAST_VERSION: Final = (6, 2, 0)
#: Seconds that our clock may differ from that of Redis.
MOST_SKEW: Final = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    #: maxmemory_policy, aof_off, aof_failing, fsync, role, cluster, version, skew.
    code: str
    #: What is wrong, what it costs, and what to set.
    sentence: str


def unsafe(connection: redis.Redis) -> list[Finding]:
    """What is not as it must be; empty when all is well. One round trip, only reads. Raises RedisError.

    A managed Redis that forbids CONFIG is judged by INFO alone, which does not tell the fsync policy.
    """
    pipeline = connection.pipeline(transaction=False)
    for section in ("server", "memory", "persistence", "replication", "cluster"):
        pipeline.info(section)
    pipeline.config_get("appendfsync")
    pipeline.time()
    before = time.time()
    *sections, fsync, server_time = pipeline.execute(raise_on_error=False)
    middle = (before + time.time()) / 2
    info: dict[str, Any] = {}
    for section in sections:
        if isinstance(section, Exception):
            raise section
        info |= section
    if isinstance(server_time, Exception):
        raise server_time
    return [
        *_version(info),
        *_cluster(info),
        *_role(info),
        *_memory(info),
        *_persistence(info, None if isinstance(fsync, Exception) else fsync.get("appendfsync")),
        *_skew(server_time[0] + server_time[1] / 1_000_000 - middle),
    ]


def _version(info: dict[str, Any]) -> list[Finding]:
    text = str(info.get("redis_version", "0"))
    version = tuple(int(part) if part.isdigit() else 0 for part in text.split(".")[:3])
    if version >= LEAST_VERSION:
        return []
    least = ".".join(map(str, LEAST_VERSION[:2]))
    return [Finding("version", f"Redis is version {text}; the queue's scripts need {least} or newer.")]


def _cluster(info: dict[str, Any]) -> list[Finding]:
    if not int(info.get("cluster_enabled", 0)):
        return []
    return [
        Finding(
            "cluster",
            "Redis runs in cluster mode: one change of state touches keys of several slots. Use a single primary.",
        )
    ]


def _role(info: dict[str, Any]) -> list[Finding]:
    if info.get("role") == "master":
        return []
    return [Finding("role", f"This Redis is a {info.get('role')}, which takes no writes. Connect to the primary.")]


def _memory(info: dict[str, Any]) -> list[Finding]:
    policy = info.get("maxmemory_policy")
    if policy == "noeviction":
        return []
    return [
        Finding(
            "maxmemory_policy",
            f"maxmemory-policy is {policy}: a full Redis deletes queued events. Set it to noeviction.",
        )
    ]


def _persistence(info: dict[str, Any], fsync: str | None) -> list[Finding]:
    if not int(info.get("aof_enabled", 0)):
        return [Finding("aof_off", "appendonly is off: a crash of Redis loses accepted events. Set appendonly to yes.")]
    findings = []
    if info.get("aof_last_write_status", "ok") != "ok":
        findings.append(
            Finding("aof_failing", "Redis cannot write its append-only file: nothing new is durable. Check its disk.")
        )
    if fsync is not None and fsync != "always":
        lost = "the last second or two" if fsync == "everysec" else "up to half a minute"
        findings.append(
            Finding(
                "fsync",
                f"appendfsync is {fsync}: a power loss loses {lost} of accepted events. Set it to always.",
            )
        )
    return findings


def _skew(seconds: float) -> list[Finding]:
    if abs(seconds) <= MOST_SKEW:
        return []
    side = "ahead of" if seconds > 0 else "behind"
    return [
        Finding(
            "skew",
            f"The clock of Redis is {abs(seconds):.0f} s {side} this machine's: shown times are off. Synchronise them.",
        )
    ]
