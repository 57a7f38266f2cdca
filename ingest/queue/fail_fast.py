"""How a process in which people wait tries again: what Redis left without an answer is not asked again at once."""

import time
from collections.abc import Callable
from typing import Any, Final, Self, TypeVar

from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

#: Seconds after a call without an answer in which the next ones fail at once.
REST: Final = 3.0

T = TypeVar("T")


class FailFast(Retry):
    """Tries again what was refused, as any other, but gives up at the first call that nobody answers.

    A page asks Redis several times. While it hangs, connected and silent, each of these waited for all the tries of
    connecting and of asking: the overview came after 53 s, schedules after 85 s. One timeout is all that a page
    waits now; those of the REST seconds after it do not wait at all.
    """

    _silent_until = 0.0

    def __deepcopy__(self, _: object) -> Self:
        """Every connection gets a copy of its pool's; all of them must know."""
        return self

    def call_with_retry(
        self,
        do: Callable[[], T],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        """Raises redis.TimeoutError without a call while others went unanswered just now."""
        if time.monotonic() < self._silent_until:
            raise NoAnswer("Redis did not answer just now.")

        def may_try(error: Exception) -> bool:
            return not isinstance(error, NoAnswer) and (is_retryable is None or is_retryable(error))

        try:
            return super().call_with_retry(do, fail, may_try, with_failure_count)
        except NoAnswer as error:
            self._silent_until = time.monotonic() + REST
            # What redis-py does before it tries again or gives up: the connection is closed.
            fail(error, 1) if with_failure_count else fail(error)
            raise
