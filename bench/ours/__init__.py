"""Programs that run with the product's own environment and settings: each is one process of a measurement."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queueadmin.settings")
django.setup()
