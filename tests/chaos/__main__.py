"""`make chaos`: every fault on both databases, then every crash point; exit 1 when anything was lost or doubled."""

import os
import shutil
import signal
import sys
import tempfile


def main() -> int:
    # Before anything reads the settings: a home of its own, and nothing of the developer's.
    home = tempfile.mkdtemp(prefix="qa-chaos-home-")
    os.mkdir(f"{home}/static")  # whitenoise warns without it
    from tests.instance import NOT_PASSED_ON

    for name in NOT_PASSED_ON:
        os.environ.pop(name, None)
    os.environ |= {
        "QUEUEADMIN_HOME": home,
        "REDIS_URL": f"unix://{home}/none.sock",
        "DJANGO_SETTINGS_MODULE": "queueadmin.settings",
    }
    from tests.chaos.command import run

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped then, too
    try:
        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
