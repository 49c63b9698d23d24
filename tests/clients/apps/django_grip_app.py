"""A Django application with django-grip: its middleware, its helpers, its WebSocket context.

Run as `GRIP_URL=… python django_grip_app.py PORT`.
"""

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    GRIP_PROXY_REQUIRED=True,
    GRIP_URL=os.environ["GRIP_URL"],
    MIDDLEWARE=["django_grip.GripMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of no importance",
)

PAGE = """<!doctype html><title>django-grip</title><script type="module">
window.got = [];
new EventSource("/stream/page/").onmessage = (event) => got.push("stream " + event.data);
const socket = new WebSocket(`ws://${location.host}/socket/page/`);
socket.onmessage = (event) => got.push("socket " + event.data);
socket.onopen = () => socket.send("hello");
got.push("poll " + await (await fetch("/poll/page/")).text());
</script>"""


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def poll(request: HttpRequest, channel: str) -> HttpResponse:
    from django_grip import set_hold_longpoll

    set_hold_longpoll(request, channel, timeout=30)
    return HttpResponse("nothing new\n", content_type="text/plain")


def not_modified(request: HttpRequest, channel: str) -> HttpResponse:
    """A long-poll whose time-out is a 304: django-grip says so with Grip-Status."""
    from django_grip import set_hold_longpoll

    set_hold_longpoll(request, channel, timeout=5)
    return HttpResponse(status=304)


def stream(request: HttpRequest, channel: str) -> HttpResponse:
    from django_grip import set_hold_stream

    set_hold_stream(request, channel, keep_alive_data="event: keep-alive\ndata:\n\n", keep_alive_timeout=20)
    return HttpResponse("data: open\n\n", content_type="text/event-stream")


def socket(request: HttpRequest, channel: str) -> HttpResponse:
    from django_grip import websocket_only

    return websocket_only(_socket)(request, channel)


def _socket(request: HttpRequest, channel: str) -> HttpResponse:
    context = request.wscontext
    if context.is_opening():
        context.accept()
        context.subscribe(channel)
        context.meta["greeting"] = "you said "
    while context.can_recv():
        message = context.recv()
        if message is None:
            context.close()
            break
        context.send(context.meta["greeting"] + message)
    return HttpResponse()


def publish(request: HttpRequest, channel: str) -> HttpResponse:
    from django_grip import publish
    from gripcontrol import HttpResponseFormat, HttpStreamFormat, WebSocketMessageFormat

    text = request.body.decode()
    formats = [HttpResponseFormat(body=text), HttpStreamFormat(f"data: {text}\n\n"), WebSocketMessageFormat(text)]
    publish(channel, formats, blocking=True)
    return HttpResponse("published\n")


urlpatterns = [
    path("", page),
    path("poll/<channel>/", poll),
    path("not-modified/<channel>/", not_modified),
    path("stream/<channel>/", stream),
    path("socket/<channel>/", socket),
    path("publish/<channel>/", publish),
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Tell nothing."""


if __name__ == "__main__":
    with make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), Server, Quiet) as server:
        server.serve_forever()
