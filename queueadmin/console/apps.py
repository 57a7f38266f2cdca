"""The live console."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "queueadmin.console"
    label = "console"
