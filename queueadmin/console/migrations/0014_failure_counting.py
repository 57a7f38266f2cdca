from typing import Any

from django.db import migrations, models


def name_groups(apps: Any, schema_editor: Any) -> None:
    """As `queueadmin.console.failures.writing` names rows."""
    groups = apps.get_model("console", "FailureGroup").objects
    named = list(groups.only("pk", "error_type"))
    for group in named:
        group.error_name = group.error_type.rpartition(".")[2].casefold()[:255]
    groups.bulk_update(named, ["error_name"], batch_size=500)


class Migration(migrations.Migration):

    dependencies = [
        ('console', '0013_replay_permanent'),
    ]

    operations = [
        migrations.AddField(
            model_name='failuregroup',
            name='error_name',
            field=models.CharField(blank=True, default='', max_length=255),
            preserve_default=False,
        ),
        migrations.RunPython(name_groups, migrations.RunPython.noop),
        migrations.RemoveIndex(
            model_name='failure',
            name='failure_minute',
        ),
        migrations.RemoveIndex(
            model_name='failure',
            name='failure_of_group',
        ),
        migrations.RemoveIndex(
            model_name='failure',
            name='failure_queue',
        ),
        migrations.AddIndex(
            model_name='failure',
            index=models.Index(fields=['fingerprint', '-failed_at', '-id', 'minute', 'reason', 'permanent', 'queue', 'kind', 'source', 'tenant', 'replay'], name='failure_of_group'),
        ),
        migrations.AddIndex(
            model_name='failure',
            index=models.Index(fields=['queue', '-failed_at', '-id'], name='failure_queue'),
        ),
    ]
