"""What axe finds wrong on a page that stands open."""

from typing import Final

from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: The rules that ask for colours: all others find the same in either theme.
_COLOURS: Final = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
_ALL: Final = {"resultTypes": ["violations"]}


def no_fault_in_either_theme(page: Page, where: str = "") -> None:
    """Every rule in the light, and in the dark those that it can change.

    `Axe.run` would read its half a megabyte into the page again for each run: a sixth of the time.
    """
    page.evaluate(Axe().axe_script)
    for theme, options in (("light", _ALL), ("dark", _ALL | _COLOURS)):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        found = AxeResults(page.evaluate("options => axe.run(options)", options))
        assert found.violations_count == 0, f"{where} {theme}\n{found.generate_report()}"
