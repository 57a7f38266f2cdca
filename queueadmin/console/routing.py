"""The socket's path."""

from channels.routing import URLRouter
from django.urls import path

from queueadmin.console.consumers import ConsoleConsumer

websocket_urlpatterns = [path("ws/console/", ConsoleConsumer.as_asgi())]  # type: ignore[arg-type]

#: For `asgi.py`: everything a websocket may open.
router = URLRouter(websocket_urlpatterns)  # type: ignore[arg-type]
