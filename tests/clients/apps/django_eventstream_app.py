"""A Django application with django-eventstream: events kept in its database, clients held by the edge.

Run as `GRIP_URL=… python django_eventstream_app.py PORT FOLDER`; the database is made in FOLDER.
"""

import json
import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(sys.argv[2], "events.sqlite3")}
    },
    DEBUG=False,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    EVENTSTREAM_STORAGE_CLASS="django_eventstream.storage.DjangoModelStorage",
    GRIP_URL=os.environ["GRIP_URL"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_eventstream"],
    MIDDLEWARE=["django_grip.GripMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of no importance, and long enough for HS256",
    USE_TZ=True,
)

PAGE = """<!doctype html><title>django-eventstream</title><script type="module">
window.got = [];
window.source = new EventSource("/events/?channel=page");
source.onmessage = (event) => got.push([event.lastEventId, JSON.parse(event.data)]);
</script>"""


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def send(request: HttpRequest, channel: str) -> HttpResponse:
    """Send an event; `?lost` keeps it from the edge, as a network that fails would."""
    import django_eventstream.eventstream as eventstream
    from django_eventstream import send_event

    value = json.loads(request.body)
    if "lost" in request.GET:
        publish, eventstream.publish_event = eventstream.publish_event, lambda *args, **kwargs: None
        try:
            send_event(channel, "message", value, async_publish=False)
        finally:
            eventstream.publish_event = publish
    else:
        send_event(channel, "message", value, async_publish=False)
    return HttpResponse("sent\n")


urlpatterns = [
    path("", page),
    path("send/<channel>/", send),
    path("events/", include("django_eventstream.urls")),
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Tell nothing."""


if __name__ == "__main__":
    django.setup()
    call_command("migrate", verbosity=0)
    with make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), Server, Quiet) as server:
        server.serve_forever()
