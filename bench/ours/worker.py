"""manage.py, with the bench's kinds and nothing stored: `python -m bench.ours.worker rqworker critical …`."""

import sys

from django.core.management import execute_from_command_line

from bench.ours import kinds

if __name__ == "__main__":
    kinds.register_all()
    execute_from_command_line(["manage.py", *sys.argv[1:]])
