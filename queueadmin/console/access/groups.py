"""The groups viewer, operator and admin, and our permissions in the database."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from queueadmin.console.access.permissions import BY_CODENAME, GROUPS, PERMISSIONS
from queueadmin.console.models import Console


def make_groups(using: str, **_: Any) -> None:
    """A receiver of `post_migrate`: the permissions of the table, and the groups whose names are roles.

    A group gets its defaults when it is made, and of a later release those permissions that are new: what a site gave
    or took stays so. Here and not in a migration, since a flush removes all of it as well.
    """
    console = ContentType.objects.db_manager(using).get_for_model(Console)
    stored = Permission.objects.using(using).filter(content_type=console)
    stored.exclude(codename__in=BY_CODENAME).delete()
    kept = {each.codename: each for each in stored}
    new = {
        each.codename: Permission.objects.using(using).create(
            content_type=console, codename=each.codename, name=f"{each.does[0].upper()}{each.does[1:]}"
        )
        for each in PERMISSIONS
        if each.codename not in kept
    }
    for name in GROUPS:
        group, made = Group.objects.using(using).get_or_create(name=name)
        given = (kept | new) if made else new
        group.permissions.add(
            *(given[each.codename] for each in PERMISSIONS if name in each.groups and each.codename in given)
        )
