"""Composition: the ASGI applications of every kind of process.

- `application`: everything in one process (`make up`, `manage.py runserver`)
- `web`: dashboard and publish API; realms' sites too, unless `WEB_SERVES_SITES` is false
- `edge`: realms' sites and the publish API, no dashboard (`manage.py edge`)

A request goes by host and path: realms' sites and the publish API never pass Django or its middleware.
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

from fanoutcloud.bounded_body import BoundedBody  # noqa: E402
from fanoutcloud.core.errors import BodyTooLarge, LimitReached, NotFound, Unavailable  # noqa: E402
from fanoutcloud.edge.app import refuse  # noqa: E402
from fanoutcloud.edge.connections.sinks import AsgiApp, Receive, Scope, Send  # noqa: E402
from fanoutcloud.edge.site.challenges import answer_challenge, is_challenge  # noqa: E402
from fanoutcloud.edge.site.responses import respond_error  # noqa: E402
from fanoutcloud.edge.site.sites import Site  # noqa: E402
from fanoutcloud.ops.endpoints import OPS_PATHS  # noqa: E402
from fanoutcloud.plane import Plane  # noqa: E402
from fanoutcloud.same_origin import SameOriginOnly  # noqa: E402
from fanoutcloud.subscription_feed import find_feed_target  # noqa: E402
from onboarding.consumers import LiveConsumer  # noqa: E402
from publishing.api.refusals import refuse_body  # noqa: E402
from publishing.endpoint import find_target  # noqa: E402

XMPP_AUTH_PATH = "/xmpp/auth"
#: The dashboard's forms hold a few hundred bytes.
MAX_FORM_BYTES = 262_144
FORM_TIMEOUT_S = 30.0


class Application:
    """One process's door: to a realm's site, the publish API, or the dashboard if this process has one."""

    def __init__(self, plane: Plane, *, dashboard: AsgiApp | None, serves_sites: bool) -> None:
        self.plane = plane
        self._dashboard = dashboard
        self._serves_sites = serves_sites

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if not self.plane.is_started:
            await self.plane.start()  # servers without lifespan (Daphne) begin with the first request
        try:
            site = await self.plane.site_finder.find(scope) if self._serves_sites else None
        except (LimitReached, Unavailable) as error:
            await refuse(scope, receive, send, error)
            return
        if site is not None:
            await self._serve_site(site, scope, receive, send)
        elif scope["type"] == "http":
            await self._serve_http(scope, receive, send)
        else:
            await self._serve_dashboard(scope, receive, send)

    async def _serve_site(self, site: Site, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a realm's site; the dashboard's cookies, which a browser sends along to `/r/…`, end here."""
        if is_challenge(site, scope):
            await answer_challenge(site, scope, send)
            return
        if site.is_by_path:
            scope["headers"] = [header for header in scope["headers"] if header[0] != b"cookie"]
        await self.plane.edge.serve(site, scope, receive, send)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path = scope.get("raw_path") or scope["path"].encode()
        if (target := find_target(raw_path)) is not None:
            await self.plane.endpoint.serve(target, scope, receive, send)
        elif (feed := find_feed_target(raw_path)) is not None:
            await self.plane.feed.serve(feed, scope, receive, send)
        elif scope["path"] == XMPP_AUTH_PATH and self.plane.xmpp is not None and self.plane.xmpp.sign_in is not None:
            await self.plane.xmpp.sign_in.serve(scope, receive, send)
        elif scope["path"] in OPS_PATHS and await self.plane.ops.serve(scope, send):
            return
        else:
            await self._serve_dashboard(scope, receive, send)

    async def _serve_dashboard(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._serves_sites:
                self.plane.site_finder.check_host(scope)
            if self._dashboard is None:
                cure = "subscribe at /r/REALM/fanout/…, publish at /realm/REALM/publish/"
                raise NotFound("this is an edge; the dashboard is elsewhere", cure=cure)
        except NotFound as error:
            await refuse(scope, receive, send, error)
        else:
            await self._dashboard(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Begin and end with the server (ASGI lifespan)."""
        await receive()
        try:
            await self.plane.start()
        except Unavailable as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.plane.health.begin_draining()
        await self.plane.stop()
        await send({"type": "lifespan.shutdown.complete"})


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
edge = Application(plane, dashboard=None, serves_sites=True)
