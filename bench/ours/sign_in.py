"""`NAME`: makes a superuser of that name and prints the key of a session of theirs."""

import json
import sys

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

if __name__ == "__main__":
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser(sys.argv[1]), backend="django.contrib.auth.backends.ModelBackend")
    print(json.dumps(client.cookies[settings.SESSION_COOKIE_NAME].value))
