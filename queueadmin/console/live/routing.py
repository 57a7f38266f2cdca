"""The socket's path."""

from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from queueadmin.console.live.consumers import ConsoleConsumer

websocket_urlpatterns = [path("ws/console/", ConsoleConsumer.as_asgi())]  # type: ignore[arg-type]

#: For `asgi.py`: everything a websocket may open. Any other path is refused; without the last pattern it would be
#: an error with a traceback, for whoever asks.
router = URLRouter([*websocket_urlpatterns, re_path("", WebsocketDenier.as_asgi())])  # type: ignore[list-item, arg-type]
