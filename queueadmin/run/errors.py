"""What stops a start."""


class CannotStart(Exception):
    """The start stops here; the message is one sentence for the person who started it."""
