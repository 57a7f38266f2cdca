"""The product's settings with the workshop's kinds, for real processes."""

import os

from queueadmin.settings import *  # noqa: F403
from queueadmin.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.workshop"]
if "WORKSHOP_SQLITE_SECONDS" in os.environ:  # how long to wait for SQLite's lock: 20 s is long for a test
    DATABASES["default"]["OPTIONS"]["timeout"] = float(os.environ["WORKSHOP_SQLITE_SECONDS"])
