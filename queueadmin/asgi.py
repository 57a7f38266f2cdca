"""Where every connection comes in."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queueadmin.settings")

django = get_asgi_application()

# Only now: what follows needs Django's apps to be loaded.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier  # noqa: E402
from django.conf import settings  # noqa: E402

from ingest import standalone  # noqa: E402
from ingest.api.fastlane import FastLane  # noqa: E402
from ingest.postgresql import crowd  # noqa: E402
from ingest.queue import connections  # noqa: E402
from queueadmin.console.live.routing import router  # noqa: E402
from queueadmin.forwarded import Forwarded  # noqa: E402
from queueadmin.sub_path import SubPath  # noqa: E402


class RefuseNullOrigin:
    """A page without an origin (a sandboxed frame, a file) is no page of ours; Daphne lets it through."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._denier = WebsocketDenier()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        refused = not origins or b"null" in origins
        return await (self._denier if refused else self._inner)(scope, receive, send)


def own_pages_only(app: Any) -> Any:
    """Websockets for pages of ALLOWED_HOSTS; a missing origin is refused as well."""
    return RefuseNullOrigin(AllowedHostsOriginValidator(app))


async def in_the_crowd(scope: Any, receive: Any, send: Any) -> None:
    """Django, whose requests share a bounded number of connections to PostgreSQL."""
    with crowd.counted():
        await django(scope, receive, send)


# Here, since only the server of the pages loads this module.
connections.fail_fast()
if settings.DATABASES["default"]["ENGINE"] == "ingest.postgresql":
    from ingest.postgresql.base import fail_fast

    fail_fast()
if not settings.REDIS:
    standalone.start()

application = Forwarded(
    SubPath(
        ProtocolTypeRouter(
            {
                "http": FastLane(in_the_crowd) if settings.INGEST_FAST_LANE else in_the_crowd,
                "websocket": own_pages_only(AuthMiddlewareStack(router)),
            }
        ),
        settings.SCRIPT_NAME,
    ),
    settings.TRUSTED_PROXIES,
)
