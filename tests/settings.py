"""The product's settings, with a home and a Redis for this test process alone (each xdist worker is one).

pytest-django reads the settings before any conftest.py, so the environment is set here. Processes that a
test starts inherit it.
"""

import atexit
import os
import shutil
import sys
import tempfile

if "pytest" in sys.modules:
    _home = tempfile.mkdtemp(prefix="qa-test-")
    os.environ["QUEUEADMIN_HOME"] = _home
    _pid = os.getpid()
    # Not in a forked child; the controller of xdist has a home too, and no fixture that removes it.
    atexit.register(lambda: os.getpid() == _pid and shutil.rmtree(_home, ignore_errors=True))
    os.mkdir(f"{_home}/static")  # whitenoise warns without it
    os.environ["REDIS_URL"] = f"unix://{_home}/valkey.sock"
    # Set by tests/test_on_postgresql.py: the same tests again, on the other database.
    if "QUEUEADMIN_TEST_DATABASE_URL" in os.environ:
        os.environ["DATABASE_URL"] = os.environ["QUEUEADMIN_TEST_DATABASE_URL"]
    else:
        os.environ.pop("DATABASE_URL", None)
    for _name in ("PROD", "REDIS_HOST", "ALLOWED_HOSTS", "SECRET_KEY", "RQ_KEY_PREFIX", "REDIS"):
        os.environ.pop(_name, None)

from queueadmin.settings import *  # noqa: F403

#: A real hash takes 0.3 s of a core, at each signing in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
#: Tests say themselves what there is.
DEMO_TASKS = False

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    # A file, as in production: threads meet each other's locks there, not those of a shared memory.
    DATABASES["default"]["TEST"] = {"NAME": f"{QUEUEADMIN_HOME}/test.sqlite3"}  # noqa: F405
    # A kill leaves what the kernel holds, and no test cuts the power: 5 ms less for each transaction.
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"  # noqa: F405
