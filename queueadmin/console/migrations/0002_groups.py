"""The groups whose names are roles."""

from django.db import migrations

from queueadmin.console.permissions import GROUPS


def make(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in GROUPS:
        group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    # Going back leaves them: they may have members.
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
