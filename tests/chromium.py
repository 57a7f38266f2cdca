"""Where a Chromium is."""

import os
import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """CHROMIUM_PATH, else one on PATH; None: there is none."""
    return os.environ.get("CHROMIUM_PATH") or next((path for name in _NAMES if (path := shutil.which(name))), None)
