"""Telling others what became of a job: an HTTP POST to a URL, or a call of a function of ours.

`targets` says what a callback may be, `addresses` which machines may be called, `notice` what is told,
`signature` signs it, `post` sends it and `functions` calls what is ours. Nothing here knows of queues or events.
"""


class CallbackRefused(Exception):
    """This callback must not be made, now or later; the message says why and holds no path or query."""


class CallbackFailed(Exception):
    """The callback was not taken; another try may help. The message holds no path or query."""
