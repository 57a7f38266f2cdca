"""Every setting as it is in force, where it came from, and what is unsafe about it. No secret is among the values."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from ingest.checks import check_settings
from ingest.kinds import KINDS
from ingest.maintenance import retention
from ingest.priorities import PRIORITIES
from queueadmin.console.figures.snapshot import RedisState

#: What stands for a secret that is set.
HIDDEN: Final = "set, not shown"
#: A duration's words.
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    #: In words; "" for one that is not set.
    value: str
    #: The environment variable that said so; "" for the default.
    said_by: str
    what: str
    #: Sentences, each one reason why this should not stay so.
    unsafe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """For how long one kind's events are kept."""

    kind: str
    days: int
    #: The environment variable that said so; "" for the default.
    said_by: str
    #: For so long a copy under the same id is recognised; events are kept for that long at least.
    recognised: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A setting of settings.py, as it is shown."""

    name: str
    what: str
    show: Callable[[Any], str]
    aliases: tuple[str, ...] = ()
    #: Its value; None: that of the same name.
    value: Callable[[], Any] | None = None


def sections(redis: RedisState) -> list[tuple[str, list[Setting]]]:
    """Every setting under its heading, in the order of the contract; `redis`: what the snapshot found about it."""
    complaints = [*_complaints(), *(("REDIS_URL", sentence) for sentence in redis.unsafe)]
    return [(heading, [_setting(known, complaints) for known in each]) for heading, each in _SECTIONS]


def kept() -> list[Kept]:
    """Each kind that this process knows."""
    shown = []
    for name, kind in sorted(KINDS.items()):
        variable = f"RETENTION_DAYS_{name.replace('-', '_').upper()}"
        recognised = retention.recognised_for(name)
        said_by = variable if variable in os.environ else ""
        shown.append(Kept(kind.name, retention.days(name), said_by, span(int(recognised.total_seconds()))))
    return shown


def span(seconds: int) -> str:
    """90 → "90 s", 3600 → "1 hour", 604800 → "7 days"."""
    for size, word in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
    return f"{seconds:,} s"


def without_password(url: str) -> str:
    """An address as it may be shown: what stands before its @, and all parameters, stay out."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{'…@' if '@' in parts.netloc else ''}{host}{parts.path}"


def _complaints() -> list[tuple[str, str]]:
    """What the checks at start say, and what no check does, each with the setting that it is about."""
    found = [(_named(str(message.msg)), str(message.msg)) for message in check_settings(None)]
    if settings.DEBUG:
        found.append(("DEBUG", "Error pages show code and settings to whoever causes an error."))
    if settings.QUEUEADMIN_FAULTS:
        found.append(("QUEUEADMIN_FAULTS", "An event may kill or hang the worker that runs it."))
    if "*" in settings.ALLOWED_HOSTS:
        found.append(("ALLOWED_HOSTS", "Any Host is taken: links in what is sent out can be made to lead elsewhere."))
    if not settings.SNS_VERIFY and settings.PROD:
        found.append(("SNS_VERIFY", "Anybody with the hook's address can send as CloudWatch."))
    for name, limit in settings.QUEUE_LIMITS.items():
        if not limit and name != "critical":
            found.append((f"QUEUE_LIMIT_{name.upper()}", "Without a limit this queue alone can fill Redis."))
    for network in settings.CALLBACK_ALLOW_NETWORKS:
        if network.endswith("/0"):
            found.append(("CALLBACK_ALLOW_NETWORKS", f"{network} lets a sender have any host in your network called."))
    return found


def _named(sentence: str) -> str:
    """The setting that a check's sentence begins with."""
    word = sentence.split(" ", 1)[0].removesuffix("'s")
    return word.replace("<PRIORITY>", "CRITICAL")


def _setting(known: _Known, complaints: Sequence[tuple[str, str]]) -> Setting:
    value = getattr(settings, known.name) if known.value is None else known.value()
    said_by = next((name for name in (known.name, *known.aliases) if name in os.environ), "")
    unsafe = tuple(sentence for name, sentence in complaints if name == known.name)
    return Setting(known.name, known.show(value), said_by, known.what, unsafe)


def _flag(value: bool) -> str:
    return "on" if value else "off"


def _secret(value: Any) -> str:
    return HIDDEN if value else ""


def _names(values: Sequence[str]) -> str:
    return ", ".join(values)


def _count(value: int) -> str:
    return f"{value:,}"


def _limit(value: int) -> str:
    return f"{value:,} jobs" if value else "none"


def _database() -> str:
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        return f"SQLite, {database['NAME']}"
    port = f":{database['PORT']}" if database.get("PORT") else ""
    return f"PostgreSQL, {database['NAME']} at {database.get('HOST') or 'the local socket'}{port}"


def _each(name: str, what: str, attribute: str, show: Callable[[Any], str]) -> list[_Known]:
    """One setting for each priority; together they are one dictionary of settings.py."""

    def value_of(priority: str) -> Callable[[], Any]:
        return lambda: getattr(settings, attribute)[priority]

    return [
        _Known(f"{name}_{priority.upper()}", what.format(priority), show, value=value_of(priority))
        for priority in PRIORITIES
    ]


_SECTIONS: Final[tuple[tuple[str, list[_Known]], ...]] = (
    (
        "This instance",
        [
            _Known(
                "PROD", "for others to reach: keys are demanded, faults refused, cookies sent over https only", _flag
            ),
            _Known("DEBUG", "Django's pages for developers", _flag),
            _Known("ENVIRONMENT", "the badge on every page", str),
            _Known("HOST", "the address that the web server listens on", str),
            _Known("PORT", "its port", str),
            _Known("ALLOWED_HOSTS", "names that requests may use", _names),
            _Known("PUBLIC_URL", "where others reach this console; links in what is sent out begin with it", str),
            _Known("SCRIPT_NAME", "the path under which a proxy serves it; empty: a host of its own", str),
            _Known("TRUSTED_PROXIES", "whose X-Forwarded-For is believed", _names),
            _Known("SECRET_KEY", "signs sessions and callbacks; without one a key is made in the home", _secret),
            _Known("QUEUEADMIN_HOME", "database, Redis' files, sockets, logs", str),
            _Known("WORKERS", "workers that make run starts", str),
            _Known("QUEUEADMIN_FAULTS", "events may break things on purpose", _flag),
        ],
    ),
    (
        "Stores",
        [
            _Known("DATABASE_URL", "events that were processed, alerts, users, the audit log", str, value=_database),
            _Known("REDIS", "queues; off: this process takes in and runs, and the database holds", _flag),
            _Known(
                "REDIS_URL",
                "where the queues are",
                without_password,
                ("REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD", "REDIS_USE_SSL"),
            ),
            _Known("RQ_KEY_PREFIX", "before every key in Redis", str),
            _Known("REDIS_MAXMEMORY", "of the embedded server; none: a quarter of the memory", str),
            _Known(
                "REDIS_POOL_MAX_CONNECTIONS", "connections of one process at most", _count, ("REDIS_MAX_CONNECTIONS",)
            ),
            _Known("REDIS_SOCKET_TIMEOUT", "for an answer of Redis", span, ("REDIS_TIMEOUT",)),
            _Known("REDIS_SOCKET_CONNECT_TIMEOUT", "for a connection to Redis", span),
        ],
    ),
    (
        "Taking in",
        [
            _Known("INGEST_REQUIRE_KEY", "off: this machine itself may send and read without a key", _flag),
            _Known(
                "INGEST_FAST_LANE", "taking in passes by Django's middleware, which takes four times as long", _flag
            ),
            _Known("INGEST_DEDUP_SECONDS", "for so long the same id is recognised", span),
            _Known("MESSAGE_DEDUP_SECONDS", "for so long the same said again without a message_id is recognised", span),
            *_each("QUEUE_LIMIT", "waiting in {}, before more is refused", "QUEUE_LIMITS", _limit),
            _Known("SNS_VERIFY", "CloudWatch's messages must be signed", _flag),
        ],
    ),
    (
        "Processing",
        [
            _Known("LEASE_SECONDS", "after so long without a sign of its worker a job is given to another", span),
            _Known("CLAIM_LIMIT", "jobs that a worker takes at once", _count),
            *_each("WAIT_TARGET", "so long may {} wait before it is late", "WAIT_TARGETS", span),
            _Known("INGEST_HANDLERS", "kinds of other apps", _names),
            _Known("MESSAGE_HANDLER", "the function that answers messages", str),
            _Known("MESSAGE_RETRIES", "tries of a message after the first", _count),
            _Known("MESSAGE_RETRY_SECONDS", "before the first of them; each further wait is twice as long", span),
            _Known("MESSAGE_TIMEOUT", "that one try may take", span),
            _Known(
                "MESSAGE_CONCURRENCY", "messages that a worker answers at a time, where the handler is async", _count
            ),
            _Known("MESSAGE_TTL_SECONDS", "for so long an answer is kept, from the end of its processing", span),
            _Known("CALLBACK_SECRET", "signs callbacks; none: made from SECRET_KEY", _secret),
            _Known("CALLBACK_ALLOW_NETWORKS", "not public, and yet callbacks may reach them", _names),
        ],
    ),
)
