"""The dashboard's session and the realms' sites, which may share a host, never meet."""

from typing import Any

from fanoutcloud.asgi import Application
from fanoutcloud.edge.sites import Site, SiteNames


class RecordingEdge:
    """Keeps the requests that reach realms' sites."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def serve(self, site: Site, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)


class RecordingPlane:
    """As much of a plane as the door needs."""

    is_started = True

    def __init__(self) -> None:
        self.sites = SiteNames("localhost:8000")
        self.edge = RecordingEdge()


async def _knock(kind: str, path: str, host: bytes) -> tuple[RecordingPlane, list[str]]:
    at_dashboard: list[str] = []

    async def dashboard(scope: Any, receive: Any, send: Any) -> None:
        at_dashboard.append(scope["path"])

    plane = RecordingPlane()
    door = Application(plane, dashboard=dashboard, serves_sites=True)  # type: ignore[arg-type]
    headers = [(b"host", host), (b"cookie", b"sessionid=secret"), (b"accept", b"*/*"), (b"cookie", b"csrftoken=secret")]
    scope: Any = {"type": kind, "path": path, "raw_path": path.encode(), "headers": headers}
    nothing: Any = None
    await door(scope, nothing, nothing)
    return plane, at_dashboard


async def test_a_site_never_sees_the_dashboards_cookies() -> None:
    for kind in ("http", "websocket"):
        for path, host in (("/r/0a1b2c3d/fanout/ws", b"localhost:8000"), ("/fanout/ws", b"0a1b2c3d.localhost:8000")):
            plane, at_dashboard = await _knock(kind, path, host)

            [scope] = plane.edge.scopes
            assert [name for name, _ in scope["headers"]] == [b"host", b"accept"]
            assert at_dashboard == []


async def test_the_dashboard_is_not_reached_by_a_sites_host() -> None:
    for path in ("/", "/accounts/login/", "/realms/", "/static/css/base.css"):
        plane, at_dashboard = await _knock("http", path, b"0a1b2c3d.localhost:8000")

        assert len(plane.edge.scopes) == 1
        assert at_dashboard == []


async def test_the_dashboard_keeps_its_own_addresses() -> None:
    plane, at_dashboard = await _knock("http", "/realms/", b"localhost:8000")

    assert plane.edge.scopes == []
    assert at_dashboard == ["/realms/"]
