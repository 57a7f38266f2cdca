"""The socket: forwards frames, computes nothing.

Whoever reads too slowly gets no backlog: a frame waits until the last one is on its way, those of the meantime are left
out, and what was missed of the history comes before the next whole snapshot. Who takes nothing for SLOW_SECONDS is
dropped; the page comes back by itself and begins anew.
"""

import asyncio
import logging
import math
import time
from collections.abc import Coroutine, Mapping
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error
from django.utils.module_loading import import_string

from queueadmin.console.access.permissions import VIEW_CONSOLE, AnyUser, may
from queueadmin.console.figures import history
from queueadmin.console.job_address import LONGEST, job_id_of
from queueadmin.console.live import open_sockets
from queueadmin.console.live.door_feed import door_feed
from queueadmin.console.live.ending import end
from queueadmin.console.live.feed import feed
from queueadmin.console.live.following import following

logger = logging.getLogger(__name__)

#: Nobody is logged in, or not any more: the page goes to the login and does not reconnect.
NOT_LOGGED_IN: Final = 4401
#: Somebody is, who may not see what the socket tells; the page does not reconnect either.
NOT_ALLOWED: Final = 4403
#: It took nothing for SLOW_SECONDS (WebSocket's "try again later").
TOO_SLOW: Final = 1013
#: How often a session is looked at again, beside when it ends here (`open_sockets`).
SESSION_SECONDS: Final = 60.0
#: For so long a frame waits for that look. The database may hang, and sockets ask it one after the other: with 40 of
#: them the numbers stood still for 47 s.
LOOK_SECONDS: Final = 0.5
#: For the 130 KB of the history that is a line of 35 kbit/s.
SLOW_SECONDS: Final = 30.0


class _Follow(msgspec.Struct):
    #: A job's id as `job_address` writes it.
    follow: Annotated[str, msgspec.Meta(max_length=LONGEST)] | None = None
    door: bool = False


_FOLLOW: Final = msgspec.json.Decoder(_Follow)


class ConsoleConsumer(AsyncWebsocketConsumer):
    """History first, then a snapshot a second; and where the page asks for it, what becomes of one job, or what comes
    in at the door.

    In the address: ?deltas=1, after the first snapshot only what changed; rows=0, none of the history (80 KB), where
    nothing is drawn; after=<Unix time>, its later rows alone, since a page that comes back has the others.

    The page asks with {"follow": "<job id>"}, or {"door": true}; with neither, for none any more. Whatever else it
    sends is ignored.
    """

    #: No channel of its own: the process has one for all its sockets, so a socket opens without Redis too.
    channel_layer_alias = "none"
    _task: asyncio.Task[None] | None = None
    #: What the page asked for beside the snapshots.
    _more: asyncio.Task[None] | None = None
    #: The look at the session that is on its way.
    _look: asyncio.Task[int | None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._check_at = time.monotonic() + SESSION_SECONDS

    async def connect(self) -> None:
        if not same_origin(self.scope):
            await self.close()
            return
        # Accepted first: a refused handshake would not tell the page why.
        await self.accept()
        if (code := await _refused(self.scope.get("user"))) is not None:
            await self.close(code)
            return
        self._task = asyncio.create_task(self._kept(self._forward(self.scope["user"])))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._task is None:
            return  # never let in
        try:
            wanted = _FOLLOW.decode(text_data or "")
            job_id = job_id_of(wanted.follow or "")
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return
        await end(self._more)
        self._more = None
        # Asked each time: what somebody may can have changed since the socket was opened.
        if (wanted.follow or wanted.door) and (code := await self._refused_by_now()) is not None:
            await self.close(code)
        elif wanted.follow:
            self._more = asyncio.create_task(self._kept(self._follow(job_id)))
        elif wanted.door:
            self._more = asyncio.create_task(self._kept(self._watch_door()))

    async def _tell(self, text: str) -> None:
        """Raises TimeoutError when the reader takes nothing."""
        async with asyncio.timeout(SLOW_SECONDS):
            await self.send(text)

    async def disconnect(self, code: int) -> None:
        await end(self._more)
        await end(self._task)
        await end(self._look)

    async def _kept(self, forwarding: Coroutine[Any, Any, None]) -> None:
        """One task of the socket; when it fails, the socket ends and the page begins anew."""
        try:
            await forwarding
        except TimeoutError:
            logger.info("a socket took nothing for %.0f s and is dropped", SLOW_SECONDS)
            await self.close(TOO_SLOW)
        except Exception:
            logger.exception("a socket ended")
            await self.close(1011)

    async def _forward(self, user: Any) -> None:
        asked = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        deltas = "deltas" in asked
        begin = math.inf if asked.get("rows") == ["0"] else history.moment(asked.get("after", [""])[0])
        async with feed().followed():
            with open_sockets.opened(self.scope["session"].session_key, user.pk, self._doubt):
                await self._tell(await feed().history(after=begin))
                number, at = 0, 0.0
                while True:
                    frame = await feed().after(number)
                    if (code := await self._looked_again()) is not None:
                        await self.close(code)
                        return
                    follows = frame.number == number + 1 and frame.delta is not None
                    if number and not follows:
                        await self._tell(await feed().history(after=at))
                    await self._tell(frame.delta if deltas and follows and frame.delta else frame.text)
                    number, at = frame.number, frame.at

    def _doubt(self) -> None:
        self._check_at = 0.0

    async def _looked_again(self) -> int | None:
        """The code to close with, when it was time to look at the session again; None: it goes on, or nobody knows."""
        if self._look is None and time.monotonic() >= self._check_at:
            self._check_at = time.monotonic() + SESSION_SECONDS
            self._look = asyncio.create_task(self._refused_by_now())
        if self._look is None or not (await asyncio.wait({self._look}, timeout=LOOK_SECONDS))[0]:
            return None
        look, self._look = self._look, None
        return look.result()

    async def _follow(self, job_id: str) -> None:
        # Also the feed's, which brings the news of jobs: this one may outlive the other task by a moment.
        async with feed().followed(), following().followed(job_id) as follower:
            while True:
                await self._tell(await follower.next())

    async def _watch_door(self) -> None:
        async with door_feed().followed():
            number = 0
            while True:
                number, text = await door_feed().after(number)
                await self._tell(text)

    async def _refused_by_now(self) -> int | None:
        """Read the session again: it may be logged out, expired, its user barred or out of a group."""
        store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
        fresh = store(self.scope["session"].session_key)
        try:
            return await _refused(await get_user({"session": fresh}))  # type: ignore[typeddict-item]
        except Error:
            return None  # the database is away; asked again next time


async def _refused(user: AnyUser | None) -> int | None:
    """The code that the socket is closed with; None: they may see what it tells."""
    if user is None or not user.is_authenticated or not user.is_active:
        return NOT_LOGGED_IN
    allowed = await database_sync_to_async(may)(user, VIEW_CONSOLE)
    return None if allowed else NOT_ALLOWED


def same_origin(scope: Mapping[str, Any]) -> bool:
    """Whether the page that opens the socket came from here: its Origin has the host of the request.

    A missing or null Origin is refused: browsers send it, and only a browser holds a session.
    """
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    origin = urlsplit(headers.get(b"origin", ""))
    if origin.scheme not in ("http", "https") or not origin.netloc:
        return False
    allowed = {_with_port(headers.get(b"host", ""), origin.scheme)}
    if settings.PUBLIC_URL:
        public = urlsplit(settings.PUBLIC_URL)
        if public.scheme == origin.scheme:
            allowed.add(_with_port(public.netloc, public.scheme))
    return _with_port(origin.netloc, origin.scheme) in allowed


def _with_port(host: str, scheme: str) -> str:
    host = host.lower()
    if host.rpartition(":")[2].isdigit():
        return host
    return f"{host}:{443 if scheme == 'https' else 80}"
