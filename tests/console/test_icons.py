"""Icons are the library's, drawn once, and what is said in them is text."""

import re
from pathlib import Path

from django.conf import settings
from django.template import Context, Template
from lucide.templatetags.lucide import lucide


def test_an_icon_is_the_library_s_however_often_it_stands() -> None:
    page = Template('{% load icons %}{% lucide "play" size=14 aria_hidden="true" %}' * 2).render(Context())
    assert page == lucide("play", size=14, aria_hidden="true") * 2


def test_what_somebody_named_something_is_text_in_it() -> None:
    page = Template('{% load icons %}{% lucide "play" title=name %}').render(Context({"name": '"><b>'}))
    assert "<b>" not in page


def test_every_page_takes_them_from_there() -> None:
    pages = (page for folder in settings.TEMPLATES[0]["DIRS"] for page in Path(folder).rglob("*.html"))
    assert [page.name for page in pages if re.search(r"\{% load [^%]*\blucide\b", page.read_text())] == []
