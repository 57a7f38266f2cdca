"""The sockets that this process holds open, by their session and their user: when one of these ends, they end with it.

What other processes end (`manage.py changepassword`) is noticed when the session is looked at again.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import transaction

#: Makes one socket look at its session before its next frame. Called from any thread.
Doubt = Callable[[], None]

_lock = threading.Lock()
_open: dict[str | int, set[Doubt]] = {}


@contextmanager
def opened(session_key: str | None, user_id: int, doubt: Doubt) -> Iterator[None]:
    """Hold this while a socket of that session and user is open."""
    names: list[str | int] = [user_id, *([session_key] if session_key else [])]
    with _lock:
        for name in names:
            _open.setdefault(name, set()).add(doubt)
    try:
        yield
    finally:
        with _lock:
            for name in names:
                _open[name].discard(doubt)
                if not _open[name]:
                    del _open[name]


def note_session(sender: Any, instance: Session, **_: Any) -> None:
    """A receiver of `post_delete`: signed out, ended from elsewhere, or under a new key after a new password."""
    transaction.on_commit(partial(_doubt, instance.session_key))


def note_user(sender: Any, instance: User | Group, **_: Any) -> None:
    """A receiver of `post_save`, `post_delete` and `m2m_changed`: barred, a new password, in or out of a group."""
    if isinstance(instance, User):  # a group whose users are changed on its own side: seen within a minute
        transaction.on_commit(partial(_doubt, instance.pk))


def _doubt(name: str | int) -> None:
    with _lock:
        found = list(_open.get(name, ()))
    for doubt in found:
        doubt()
