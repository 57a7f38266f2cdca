"""Characters that turn the direction of text around, shown as what they are.

They make a line read otherwise than it is: `invoice\\u202efdp.exe` looks like a PDF's. What the scripts write is done
alike by static/console/format.js.
"""

import re
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from django.http.response import HttpResponse

#: Unicode's marks, embeddings, overrides and isolates (UAX 9), and the two that end a line in scripts alone.
_CONTROLS: Final = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
#: The same in UTF-8: looking for them costs 30 µs a page.
_IN_BYTES: Final = re.compile(rb"\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
#: What is no text of a page: what is inside of these, and any other tag. Django escapes < in attributes, and we quote
#: all of them with ".
_TAGS: Final = re.compile(r"<(script|style|textarea)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
#: Attributes that are read by people. Others, such as a field's value, are sent back as they came.
_READ: Final = re.compile(r'(\s(?:title|aria-label|placeholder|alt)=")([^"]*)')


def visible(text: str) -> str:
    """Each as JSON writes it, so that a text inside JSON stays the same text."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def visible_page(page: str) -> str:
    """A page or a part of one, in HTML: its texts, and the attributes that people read."""
    made, end = [], 0
    for tag in _TAGS.finditer(page):
        made.append(visible(page[end : tag.start()]))
        made.append(_READ.sub(lambda found: found[1] + visible(found[2]), tag[0]))
        end = tag.end()
    return "".join([*made, visible(page[end:])])


class VisibleControls:
    """A middleware, for every page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        is_page = isinstance(response, HttpResponse) and response.get("Content-Type", "").startswith("text/html")
        if is_page and _IN_BYTES.search(response.content):  # type: ignore[attr-defined]
            response.content = visible_page(response.content.decode()).encode()  # type: ignore[attr-defined]
        return response
