"""A job's id as a segment of an address, and as the value of a field.

RQ lets a client name its jobs by any string. Most are what they are; one that an address or a form would not bring back
as it was (with a slash, control characters, as long as a paragraph, or just dots) is `~` and its UTF-8 in base64url.
"""

import base64
import binascii
import re
from typing import Final

from django.urls import register_converter

#: What servers and browsers leave alone. Whatever begins with ~ is written out, so that none is taken for another.
_PLAIN: Final = re.compile(r"(?!~|\.{1,2}\Z)[^/\\\s\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")
#: Characters of an address's segment: proxies and servers take 8 KB for all of a request's line.
LONGEST: Final = 6_000


def address(job_id: str) -> str:
    """For `url` and for forms. May be longer than LONGEST: then it is good for forms alone."""
    if _PLAIN.fullmatch(job_id):
        return job_id
    return "~" + base64.urlsafe_b64encode(job_id.encode(errors="replace")).decode().rstrip("=")


def job_id_of(segment: str) -> str:
    """Raises ValueError for what `address` never gives."""
    if not segment.startswith("~"):
        return segment
    try:
        coded = segment[1:].encode("ascii")
        return base64.b64decode(coded + b"=" * (-len(coded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(f"“{segment[:100]}” is not a job id.") from error


class JobIdConverter:
    """`<job:job_id>` in a route."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return job_id_of(value)

    def to_url(self, value: str) -> str:
        return address(value)


register_converter(JobIdConverter, "job")
