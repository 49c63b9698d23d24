"""The dashboard's session and the realms' sites, which may share a host, never meet."""

from typing import Any

from fanoutcloud.application import Application
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.own_hosts import OwnHosts
from fanoutcloud.edge.site.sites import Site, SiteFinder, SiteNames
from tests.fakes.directory import FakeDirectory

REALM = RealmId("0a1b2c3d")


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
        names = SiteNames(OwnHosts("localhost:8000", other_hosts=["www.example.com"]))
        snapshot = RealmSnapshot(REALM, keys=(), retention=Retention(), domains=(Domain(), Domain("chat.example.com")))
        self.site_finder = SiteFinder(names, FakeDirectory(snapshot), FailuresByAddress(SystemClock()))
        self.edge = RecordingEdge()
        self.endpoint = RecordingEdge()
        self.answers: list[dict[str, Any]] = []


async def _knock(kind: str, path: str, host: bytes) -> tuple[RecordingPlane, list[str]]:
    at_dashboard: list[str] = []

    async def dashboard(scope: Any, receive: Any, send: Any) -> None:
        at_dashboard.append(scope["path"])

    plane = RecordingPlane()
    door = Application(plane, dashboard=dashboard, serves_sites=True)  # type: ignore[arg-type]
    headers = [(b"host", host), (b"cookie", b"sessionid=secret"), (b"accept", b"*/*"), (b"cookie", b"csrftoken=secret")]
    scope: Any = {"type": kind, "path": path, "raw_path": path.encode(), "headers": headers}
    nothing: Any = None

    async def send(message: dict[str, Any]) -> None:
        plane.answers.append(message)

    await door(scope, nothing, send)
    return plane, at_dashboard


async def test_a_site_never_sees_the_dashboards_cookies() -> None:
    for kind in ("http", "websocket"):
        for host in (b"localhost:8000", b"www.example.com"):
            plane, at_dashboard = await _knock(kind, "/r/0a1b2c3d/fanout/ws", host)

            [scope] = plane.edge.scopes
            assert [name for name, _ in scope["headers"]] == [b"host", b"accept"]
            assert at_dashboard == []


async def test_a_host_of_the_realms_own_keeps_the_cookies_that_are_set_on_it() -> None:
    for host in (b"0a1b2c3d.localhost:8000", b"chat.example.com"):
        plane, _ = await _knock("http", "/fanout/sse", host)

        [scope] = plane.edge.scopes
        assert [value for name, value in scope["headers"] if name == b"cookie"] == [
            b"sessionid=secret",
            b"csrftoken=secret",
        ]


async def test_the_dashboard_is_not_reached_by_a_sites_host() -> None:
    for path in ("/", "/accounts/login/", "/realms/", "/static/css/base.css", "/r/ffffffff/fanout/ws"):
        for host in (b"0a1b2c3d.localhost:8000", b"chat.example.com"):
            plane, at_dashboard = await _knock("http", path, host)

            assert len(plane.edge.scopes) == 1
            assert at_dashboard == []


async def test_the_dashboard_is_not_reached_by_a_host_that_nobody_has() -> None:
    plane, at_dashboard = await _knock("http", "/accounts/login/", b"evil.example.net")

    assert plane.answers[0]["status"] == 404
    assert b"unknown_host" in plane.answers[1]["body"]
    assert at_dashboard == []
    assert plane.edge.scopes == []


async def test_the_dashboard_keeps_its_own_addresses() -> None:
    plane, at_dashboard = await _knock("http", "/realms/", b"localhost:8000")

    assert plane.edge.scopes == []
    assert at_dashboard == ["/realms/"]
