"""The table of permissions, and who has them (issue 7.4)."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db.models.signals import post_migrate

from queueadmin.console.access import permissions
from queueadmin.console.access.permissions import (
    BY_CODENAME,
    PERMISSIONS,
    RETRY_JOBS,
    VIEW_CONSOLE,
    granted,
    may,
    refusal,
)

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("group", ["viewer", "operator", "admin"])
def test_x16_each_group_has_what_the_table_says(make_user: Callable[..., User], group: str) -> None:
    assert granted(make_user("somebody", group)) == {each.codename for each in PERMISSIONS if group in each.groups}


def test_somebody_in_no_group_is_a_viewer(make_user: Callable[..., User]) -> None:
    assert granted(make_user("somebody")) == granted(make_user("vera", "viewer"))


def test_the_first_admin_is_a_superuser_and_may_do_all(make_user: Callable[..., User]) -> None:
    assert granted(make_user("admin", superuser=True)) == BY_CODENAME.keys()


def test_a_barred_user_and_nobody_may_nothing(make_user: Callable[..., User]) -> None:
    gone = make_user("gone", "admin", superuser=True)
    gone.is_active = False
    assert granted(gone) == granted(AnonymousUser()) == frozenset()


def test_a_group_of_the_site_s_own_has_what_it_was_given_and_no_more(make_user: Callable[..., User]) -> None:
    user = make_user("rita", "retriers")
    Group.objects.get(name="retriers").permissions.add(Permission.objects.get(codename="retry_jobs"))
    assert granted(user) == {"retry_jobs"}
    assert "the groups admin, operator and retriers have." in refusal(user, RETRY_JOBS)
    assert not may(user, VIEW_CONSOLE)


def test_one_permission_can_be_somebody_s_alone(make_user: Callable[..., User]) -> None:
    user = make_user("rita", "viewer")
    user.user_permissions.add(Permission.objects.get(codename="retry_jobs"))
    assert may(user, RETRY_JOBS)


def test_a_refusal_names_the_permission_and_who_has_it(make_user: Callable[..., User]) -> None:
    vera = make_user("vera", "viewer")
    said = "vera may not retry dead letters: that needs the permission console.retry_jobs, which"
    assert refusal(vera, RETRY_JOBS) == f"{said} the groups admin and operator have."
    Group.objects.get(name="operator").permissions.clear()
    assert refusal(vera, RETRY_JOBS) == f"{said} the group admin has."
    Group.objects.get(name="admin").permissions.clear()
    assert refusal(vera, RETRY_JOBS) == f"{said} no group has; a superuser may."


def _migrate() -> None:
    config = apps.get_app_config("console")
    post_migrate.send(config, app_config=config, verbosity=0, interactive=False, using="default", apps=apps, plan=[])


@pytest.mark.django_db
def test_a_later_migrate_keeps_what_a_site_changed_and_gives_what_is_new() -> None:
    operator = Group.objects.get(name="operator")
    operator.permissions.remove(Permission.objects.get(codename="empty_queues"))
    operator.permissions.add(Permission.objects.get(codename="kill_workers"))
    # As if this release had brought it, and an earlier one something else.
    Permission.objects.get(codename="pause_queues").delete()
    console = Permission.objects.get(codename="retry_jobs").content_type
    Permission.objects.create(codename="gone_jobs", name="Gone", content_type=console)

    _migrate()

    held = set(operator.permissions.values_list("codename", flat=True))
    assert "empty_queues" not in held
    assert {"kill_workers", "pause_queues"} <= held
    assert not Permission.objects.filter(codename="gone_jobs").exists()


@pytest.mark.django_db
def test_a_group_that_was_deleted_comes_back_with_its_defaults() -> None:
    Group.objects.get(name="viewer").delete()
    _migrate()
    held = set(Group.objects.get(name="viewer").permissions.values_list("codename", flat=True))
    assert held == {each.codename for each in PERMISSIONS if "viewer" in each.groups}


def test_the_table_is_whole_and_templates_ask_for_nothing_else() -> None:
    constants = {each for each in vars(permissions).values() if isinstance(each, permissions.Permission)}
    assert constants == set(PERMISSIONS)
    assert len(BY_CODENAME) == len(PERMISSIONS)
    asked = {
        name
        for template in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r"\bmay\.(\w+)", template.read_text())
    }
    assert asked <= BY_CODENAME.keys()
