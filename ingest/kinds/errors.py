"""What a kind may say about an event that it cannot take."""


class PermanentError(Exception):
    """Raised by a handler: trying this event again cannot help. It becomes a dead letter at once.

    So does any other exception whose `retry` is False.
    """

    retry = False


class Canceled(Exception):
    """Raised by a handler that was asked to end and does (`Context.stop_if_canceled`)."""

    retry = False


class Invalid(Exception):
    """Raised at acceptance: this field of the event breaks a rule, and the sender must change it."""

    def __init__(self, field: str, code: str, detail: str, *, limit: int | None = None) -> None:
        super().__init__(detail)
        self.field = field
        self.code = code
        self.detail = detail
        #: The number that was broken, where the rule has one.
        self.limit = limit
