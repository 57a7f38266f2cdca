"""The product's settings with short clocks: what the programs of an instance under chaos read."""

from queueadmin.settings import *  # noqa: F403
from queueadmin.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS += ["tests.chaos.clocks.ShortClocks"]
if "timeout" in DATABASES["default"].get("OPTIONS", {}):
    DATABASES["default"]["OPTIONS"]["timeout"] = 1
