"""Take the pictures of docs/screenshots from a running instance, with whatever it shows now.

make run     # in one shell
make demo    # in another, for some minutes
.venv/bin/python docs/screenshots/take.py --url http://127.0.0.1:8000 --password <admin's>
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).resolve().parent
#: name → (theme, width, height, pixels per CSS pixel, is a phone)
LOOKS = {
    "light": ("light", 1440, 900, 1, False),
    "dark": ("dark", 1440, 900, 1, False),
    "phone": ("light", 390, 844, 2, True),
}
PAGES = {"overview": "/", "dead-letters": "/dead-letters/"}
#: As tests/browser starts it: no sandbox in containers, no GPU, nothing of the browser's own on the net.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_browser() -> str | None:
    """CHROMIUM_PATH, else a Chromium or Chrome on PATH."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM_PATH") or next((found for name in names if (found := shutil.which(name))), None)


def take(browser: Browser, url: str, name: str, password: str, folder: Path) -> list[Path]:
    """Sign in and write one picture for each page and look; return the files."""
    written = []
    for look, (theme, width, height, scale, phone) in LOOKS.items():
        context = browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            color_scheme="dark" if theme == "dark" else "light",
            has_touch=phone,
            is_mobile=phone,
        )
        page = context.new_page()
        page.goto(f"{url}/login/")
        page.fill("[name=username]", name)
        page.fill("[name=password]", password)
        page.click("main button")
        for title, path in PAGES.items():
            page.goto(url + path)
            page.wait_for_selector('.live[data-s="on"]')
            page.wait_for_timeout(2500)  # two snapshots: the charts have settled
            file = folder / f"{title}-{look}.png"
            page.screenshot(path=file)
            written.append(file)
        context.close()
    return written


def main() -> int:
    parser = argparse.ArgumentParser(description="Takes the pictures of docs/screenshots.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default=os.environ.get("QUEUEADMIN_ADMIN_PASSWORD"), required=False)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    program = find_browser()
    if program is None:
        sys.stderr.write("No Chromium was found; set CHROMIUM_PATH.\n")
        return 1
    if not options.password:
        sys.stderr.write("Give --password, or set QUEUEADMIN_ADMIN_PASSWORD.\n")
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        for file in take(browser, options.url.rstrip("/"), options.user, options.password, options.folder):
            sys.stdout.write(f"{file}\n")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
