"""Icons are the library's, drawn once, and what is said in them is text."""

from django.template import Context, Template
from lucide.templatetags.lucide import lucide


def test_an_icon_is_the_library_s_however_often_it_stands() -> None:
    page = Template('{% load icons %}{% lucide "play" size=14 aria_hidden="true" %}' * 2).render(Context())
    assert page == lucide("play", size=14, aria_hidden="true") * 2


def test_what_somebody_named_something_is_text_in_it() -> None:
    page = Template('{% load icons %}{% lucide "play" title=name %}').render(Context({"name": '"><b>'}))
    assert "<b>" not in page
