from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, User

from queueadmin.console.permissions import can_administer, can_operate, can_read, can_reveal


@pytest.mark.parametrize(
    ("group", "rights"),
    [
        (None, (True, False, False)),
        ("viewer", (True, False, False)),
        ("operator", (True, True, False)),
        ("admin", (True, True, True)),
    ],
)
def test_x16_a_role_for_each_group(make_user: Callable[..., User], group: str | None, rights: tuple[bool, ...]) -> None:
    user = make_user("somebody", group)
    assert (can_read(user), can_operate(user), can_administer(user)) == rights


def test_the_first_admin_is_a_superuser_and_may_do_all(make_user: Callable[..., User]) -> None:
    user = make_user("admin", superuser=True)
    assert (can_read(user), can_operate(user), can_administer(user)) == (True, True, True)


def test_a_barred_user_may_nothing(make_user: Callable[..., User]) -> None:
    user = make_user("gone", "admin", superuser=True)
    user.is_active = False
    assert (can_read(user), can_operate(user), can_administer(user)) == (False, False, False)


def test_nobody_may_nothing() -> None:
    nobody = AnonymousUser()
    assert (can_read(nobody), can_operate(nobody), can_administer(nobody)) == (False, False, False)


@pytest.mark.parametrize(("group", "may"), [("viewer", False), ("operator", False), ("admin", True), (None, False)])
def test_credentials_are_for_admins(make_user: Callable[..., User], group: str | None, may: bool) -> None:
    assert can_reveal(make_user("somebody", group)) is may


@pytest.mark.django_db
def test_the_groups_are_there_after_migrate() -> None:
    from django.contrib.auth.models import Group

    assert set(Group.objects.values_list("name", flat=True)) >= {"viewer", "operator", "admin"}
