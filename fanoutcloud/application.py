"""The door of one serving process: a request goes by host and path.

Realms' sites and the publish API never pass Django or its middleware. Composed by `fanoutcloud.asgi` and
`fanoutcloud.edge_asgi`.
"""

from fanoutcloud.core.errors import LimitReached, NotFound, Unavailable
from fanoutcloud.edge.app import refuse
from fanoutcloud.edge.connections.sinks import AsgiApp, Receive, Scope, Send
from fanoutcloud.edge.connections.whole_requests import Answerer
from fanoutcloud.edge.site.challenges import answer_challenge, is_challenge
from fanoutcloud.edge.site.sites import Site
from fanoutcloud.ops.endpoints import OPS_PATHS
from fanoutcloud.plane import Plane
from fanoutcloud.subscription_feed import find_feed_target
from publishing.endpoint import find_target

XMPP_AUTH_PATH = "/xmpp/auth"


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

    def accept_at_once(self, scope: Scope) -> bool:
        """Hold a subscriber of a realm's site if nothing has to be waited for; False: call this application."""
        if not self.plane.is_started or not self._serves_sites:
            return False
        site = self.plane.site_finder.find_at_once(scope)
        return site is not None and self.plane.edge.accept_at_once(site, scope)

    def find_answerer(self, scope: Scope) -> Answerer | None:
        """Return what answers a publish, given its body; None: it is another request, and for this application."""
        if not self.plane.is_started or (self._serves_sites and not self.plane.site_finder.is_ours(scope)):
            return None
        target = find_target(scope["raw_path"])
        return None if target is None else self.plane.endpoint.make_answerer(target, scope)

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
