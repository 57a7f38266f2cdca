"""The problems that alerts are about, as pages and the API show them: a filter, pages of a list, one of them."""

from queueadmin.console.alerts.filters import VOCABULARY, chosen
from queueadmin.console.alerts.reading import (
    COUNTED,
    Page,
    counts,
    find,
    newer,
    page,
    reports,
    shown,
    shown_labels,
)

__all__ = [
    "COUNTED",
    "VOCABULARY",
    "Page",
    "chosen",
    "counts",
    "find",
    "newer",
    "page",
    "reports",
    "shown",
    "shown_labels",
]
