"""`python -m queueadmin.run`: everything, in the foreground, until Ctrl-C.

Exit status 0 after a stop that was asked for, 1 with a sentence on standard error otherwise.
"""

import os
import sys

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from queueadmin.run.errors import CannotStart
from queueadmin.run.home import Home


def main() -> int:
    # Before the settings, which make the home and the secret key in it.
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queueadmin.settings")
    try:
        django.setup()
        home = Home(settings.QUEUEADMIN_HOME)
        from queueadmin.run.instance import Instance  # needs the settings

        Instance(home).run()
    except (CannotStart, ImproperlyConfigured) as error:
        sys.stderr.write(f"queueadmin cannot start: {error}\n")
        return 1
    except KeyboardInterrupt:  # before anything was started
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
