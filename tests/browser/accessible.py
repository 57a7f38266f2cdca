"""What axe finds wrong on a page that stands open."""

from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: The rules that ask for colours: all others find the same in either theme.
_COLOURS: Final = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
_ALL: Final = {"resultTypes": ["violations"]}


def no_fault_in_either_theme(page: Page, where: str = "") -> None:
    """Every rule in the light, and in the dark those that it can change."""
    for theme, options in (("light", _ALL), ("dark", _ALL | _COLOURS)):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        found = Axe().run(page, options=options)
        assert found.violations_count == 0, f"{where} {theme}\n{found.generate_report()}"
