"""Lucide's icons, each drawn once.

The library copies and writes an icon's tree for each place where it stands: a page of dead letters has 240, which took
a tenth of it.
"""

from functools import lru_cache

from django import template
from lucide.templatetags.lucide import lucide

register = template.Library()
#: Icons with their attributes; those of all pages are some 150. A label that says a job's name is forgotten again.
register.simple_tag(lru_cache(maxsize=1024)(lucide), name="lucide")
