"""Composition: the ASGI applications of processes that have the dashboard.

- `application`: everything in one process (`make up`, `manage.py runserver`)
- `web`: dashboard and publish API; realms' sites too, unless `WEB_SERVES_SITES` is false

An edge, which has no dashboard, is composed by `fanoutcloud.edge_asgi`.
"""

import os
from typing import cast

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fanoutcloud.settings")
django.setup(set_prefix=False)

from channels.auth import AuthMiddlewareStack  # noqa: E402 - needs the apps to be loaded
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402

from fanoutcloud import urls as urls  # noqa: E402 - or the first page would have to wait for all pages to be loaded
from fanoutcloud.application import Application  # noqa: E402
from fanoutcloud.bounded_body import BoundedBody  # noqa: E402
from fanoutcloud.core.errors import BodyTooLarge  # noqa: E402
from fanoutcloud.edge.connections.sinks import AsgiApp, Scope, Send  # noqa: E402
from fanoutcloud.edge.site.responses import respond_error  # noqa: E402
from fanoutcloud.plane import Plane  # noqa: E402
from fanoutcloud.same_origin import SameOriginOnly  # noqa: E402
from onboarding.consumers import LiveConsumer  # noqa: E402
from publishing.api.refusals import refuse_body  # noqa: E402

#: The dashboard's forms hold a few hundred bytes.
MAX_FORM_BYTES = 262_144
FORM_TIMEOUT_S = 30.0

plane = Plane(settings)


async def _refuse_body(scope: Scope, send: Send, error: BodyTooLarge) -> None:
    """Answer that a body is too large, in the shape of what the path belongs to."""
    await (refuse_body if scope["path"].startswith("/api/") else respond_error)(send, error)


_dashboard = ProtocolTypeRouter(
    {
        "http": BoundedBody(
            cast(AsgiApp, get_asgi_application()),
            max_bytes=MAX_FORM_BYTES,
            timeout_s=FORM_TIMEOUT_S,
            refuse=_refuse_body,
        ),
        "websocket": SameOriginOnly(
            AuthMiddlewareStack(URLRouter([path("live/<str:realm>/", LiveConsumer.as_asgi(activity=plane.activity))]))
        ),
    }
)

application = Application(plane, dashboard=_dashboard, serves_sites=True)
web = Application(plane, dashboard=_dashboard, serves_sites=settings.WEB_SERVES_SITES)
