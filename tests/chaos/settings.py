"""The product's settings with short clocks and the workshop's kinds: what the programs under chaos read."""

from queueadmin.settings import *  # noqa: F403
from queueadmin.settings import DATABASES, INSTALLED_APPS

# The clocks last: they are every kind's.
INSTALLED_APPS = [*INSTALLED_APPS, "tests.workshop", "tests.chaos.clocks.ShortClocks"]
if "timeout" in DATABASES["default"].get("OPTIONS", {}):
    DATABASES["default"]["OPTIONS"]["timeout"] = 1
