"""Numbers, durations and times as words, for the first paint.

Mirrors static/console/format.js, which writes the live page: the two must never differ.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from django import template
from django.contrib.messages.storage.base import Message
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ingest import credentials
from ingest.frames import apart
from ingest.problems import labels_of
from ingest.reading.runs import Attempt
from queueadmin.console import job_address
from queueadmin.console.masking import masked_text

register = template.Library()

DASH = "–"
#: Characters of a job's id that a page writes out.
LONGEST_ID: Final = 255


def _fixed(value: float) -> str:
    """One decimal, halves up as the browser rounds them; Python's own format rounds halves to even."""
    return f"{math.floor(value * 10 + 0.5) / 10:.1f}"


@register.filter
def number(value: float | None) -> str:
    """1234.4 → "1,234"; a dash for nothing."""
    return DASH if value is None else f"{math.floor(value + 0.5):,}"


@register.filter
def short(value: float) -> str:
    """12345 → "12.3k", for badges and titles."""
    for least, unit in ((1e6, "M"), (1e4, "k")):
        if value >= least:
            return _fixed(value / (1e6 if unit == "M" else 1e3)).removesuffix(".0") + unit
    return number(value)


@register.filter
def labels(lines: str) -> str:
    """An alert's labels on one line, credentials masked."""
    return " ".join(f"{name}={value}" for name, value in credentials.masked(labels_of(lines)).items())


@register.filter
def rate(value: float | None) -> str:
    """A rate per second, with one decimal while that matters."""
    if value is None:
        return DASH
    return _fixed(value) if abs(value) < 1000 else number(value)


@register.filter
def change(value: float | None) -> str:
    """A change per second, sign first; empty when it rounds to nothing."""
    if value is None or abs(value) < 0.05:
        return ""
    size = abs(value)
    return f"{'+' if value > 0 else '−'}{_fixed(size) if size < 10 else number(size)}/s"


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds in words people use: "0.4 s", "22 s", "3 min", "1.5 h", "2 d"."""
    if seconds is None:
        return DASH
    s = max(0.0, seconds)
    if s < 9.95:
        return f"{_fixed(s)} s"
    if s < 90:
        return f"{number(s)} s"
    if s < 5400:
        return f"{number(s / 60)} min"
    if s < 172_800:
        return f"{_fixed(s / 3600)} h"
    return f"{number(s / 86_400)} d"


@register.filter
def millis(seconds: float | None) -> str:
    """How long an answer took: "0.8 ms", "11 ms", "1.2 s"; a dash for nothing."""
    if seconds is None:
        return DASH
    ms = seconds * 1000
    return duration(seconds) if ms >= 999.5 else f"{_fixed(ms) if ms < 9.95 else number(ms)} ms"


@register.filter
def of_queue(took: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """How long this queue's jobs took lately; empty when none ended."""
    return next((each for each in took if each["queue"] == name), {})


@register.filter
def took(attempt: Attempt) -> float | None:
    """How many seconds one execution took."""
    return (attempt.ended_at - attempt.started_at).total_seconds() if attempt.started_at else None


@register.filter
def is_percent(progress: Any) -> bool:
    """Whether what a handler says of its progress can be a bar: a number from 0 to 100."""
    return isinstance(progress, int | float) and not isinstance(progress, bool) and 0 <= progress <= 100


@register.filter
def progress_words(progress: Any) -> str:
    """What a handler says of its progress: "40 %", its own words, or JSON."""
    if progress is None:
        return ""
    if is_percent(progress):
        return f"{progress:g} %"
    return progress if isinstance(progress, str) else json.dumps(progress, ensure_ascii=False, separators=(",", ":"))


@register.filter
def target(seconds: int) -> str:
    """A target: whole seconds, or minutes from two minutes on."""
    if seconds < 120:
        return f"{seconds} s"
    return f"{_fixed(seconds / 60)} min" if seconds % 60 else f"{seconds // 60} min"


@register.filter
def clears_in(value: float | str | None) -> str:
    if value is None:
        return "clear"
    return value if isinstance(value, str) else duration(value)


@register.filter
def pause_left(until: float | None, now: float) -> str:
    """A pause and what is left of it: "paused, 12 min left", or "paused" when somebody must resume it."""
    return "paused" if until is None else f"paused, {duration(until - now)} left"


@register.filter
def file_size(value: float) -> str:
    """Bytes in powers of 1024: "512 B", "1.5 KB", "4 GB"."""
    for unit in ("B", "KB", "MB"):
        if value < 1024:
            return f"{_figure(value, whole=unit == 'B')} {unit}"
        value /= 1024
    return f"{_figure(value, whole=False)} GB"


def _figure(value: float, *, whole: bool) -> str:
    return number(value) if whole or value >= 10 else _fixed(value).removesuffix(".0")


@register.filter
def memory(redis: dict[str, Any]) -> str:
    """How full Redis is: "38 % of 4 GB", or the bytes when it has no limit; "none" with REDIS=false."""
    if redis.get("status") == "disabled":
        return "none"
    used, most = redis["used_memory"], redis["max_memory"]
    return f"{number(used / most * 100)} % of {file_size(most)}" if most else file_size(used)


def ago_words(then: float, now: float) -> str:
    """How long ago, or how far ahead, an instant is; both in Unix seconds."""
    s = now - then
    if s < -1:
        return f"in {_whole(max(1, math.floor(-s + 0.5)))}"
    if s < 1:
        return "now"
    return f"{_whole(math.floor(s + 0.5))} ago"


def _whole(seconds: int) -> str:
    return f"{seconds} s" if seconds < 90 else duration(seconds)


def _unix(instant: datetime | float | str) -> float:
    if isinstance(instant, str):
        instant = datetime.fromisoformat(instant)
    return instant.timestamp() if isinstance(instant, datetime) else float(instant)


@register.simple_tag
def ago(instant: datetime | float | str | None) -> SafeString | str:
    """A <time> in relative words, the instant on hover. Takes a datetime, Unix seconds or ISO text."""
    return DASH if instant is None else _time(_unix(instant), "ago")


@register.simple_tag
def clock(instant: datetime | float | str | None) -> SafeString | str:
    """A <time> as hours, minutes and seconds (UTC until the page's script knows the reader's zone)."""
    return DASH if instant is None else _time(_unix(instant), "clock")


@register.simple_tag
def instant(at: datetime | float | str | None) -> SafeString | str:
    """A <time> as date and time (UTC until the page's script knows the reader's zone)."""
    return DASH if at is None else _time(_unix(at), "full")


@register.simple_tag
def elapsed(instant: datetime | float | str | None) -> SafeString | str:
    """A <time> as how long it is since then, the instant on hover."""
    return DASH if instant is None else _time(_unix(instant), "elapsed")


def _time(at: float, style: str) -> SafeString:
    moment, now = datetime.fromtimestamp(at, UTC), timezone.now().timestamp()
    match style:
        case "clock":
            words = f"{moment:%H:%M:%S}"
        case "full":
            words = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
        case "elapsed":
            words = duration(now - at)
        case _:
            words = ago_words(at, now)
    return format_html(
        '<time datetime="{}" data-at="{}" data-style="{}" title="{} UTC">{}</time>',
        moment.isoformat(timespec="milliseconds"),
        f"{at:.3f}",
        style,
        f"{moment:%Y-%m-%d %H:%M:%S}",
        words,
    )


@register.filter
def short_id(job_id: str) -> str:
    """Enough of a job id to tell rows apart: the time, and the random end."""
    return _printable(job_id if len(job_id) <= 16 else f"{job_id[:8]}…{job_id[-6:]}")


@register.filter
def id_text(job_id: str) -> str:
    """A job id for people to read: a stock client's may be as long as a book."""
    cut = f"{job_id[:200]}… ({len(job_id):,} characters)" if len(job_id) > LONGEST_ID else job_id
    return _printable(cut)


@register.filter
def address(job_id: str) -> str:
    return job_address.address(job_id)


@register.filter
def has_address(job_id: str) -> bool:
    """Whether servers take an address with it."""
    return len(job_address.address(job_id)) <= job_address.LONGEST


def _printable(job_id: str) -> str:
    """Control characters as Python writes them: a page cannot hold all of them."""
    return "".join(each if each.isprintable() or each == " " else ascii(each)[1:-1] for each in job_id)


@register.filter
def share(seconds: float, goal: float) -> str:
    """A wait's part of its target, as the width of its bar; none of a total that a sample rounds to 0."""
    return f"{min(100.0, max(0.0, seconds / goal * 100)):.0f}%" if goal else "0%"


@register.filter
def percent(value: float | None) -> str:
    """18.44 → "18.4 %"; a dash for nothing."""
    return DASH if value is None else f"{_fixed(value)} %"


#: Codes of refusals whose words say less than a person needs.
_REASONS = {
    "key_rate": "over its key's rate",
    "redis_memory": "Redis' memory is nearly full",
    "free_disk": "the disk is nearly full",
    "queue_full": "its queue is full",
    "withheld": "withheld: another of its batch was refused",
    "id_reused": "id taken by another event",
    "no_durable_store": "no store was there",
}


@register.filter
def reason_words(code: str) -> str:
    """Why something was refused, from the code that its sender got."""
    return _REASONS.get(code, code.replace("_", " "))


@register.filter
def action_words(action: str) -> str:
    """An operation's name as words: retry_all → "Retry all"."""
    return action.replace("_", " ").capitalize()


@register.filter
def cut_word(text: str, index: int) -> str:
    """One word of a text: a figure and its unit stand in different sizes."""
    words = text.split()
    return words[index] if index < len(words) else ""


@register.filter
def cut_module(name: str) -> str:
    """An exception without its module: django.db.utils.IntegrityError → IntegrityError."""
    return name.rpartition(".")[2]


@register.filter
def places(frames: str) -> tuple[str, ...]:
    """Where in the application, as a cause keeps it: the outer frame first; empty when nobody can tell."""
    return apart(frames)


@register.filter
def folded(message: str) -> list[tuple[bool, str]]:
    """A normalised message in parts: (whether it stands for what differs, the text)."""
    return [(index % 2 == 1, part) for index, part in enumerate(re.split(r"(<\w+>)", message)) if part]


@register.filter
def offers(message: Message) -> dict[str, str]:
    """What `pages.answers` offers beside a sentence: the operation that Undo is told, the address in the log."""
    return dict(parse_qsl(message.extra_tags or ""))


@register.filter
def masked(text: str) -> str:
    """Without the credentials that an error message may quote."""
    return masked_text(text)


@register.filter
def code_spans(text: str) -> SafeString:
    """What stands between backticks as code."""
    parts = text.split("`")
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if n % 2 else part,) for n, part in enumerate(parts))
    )
