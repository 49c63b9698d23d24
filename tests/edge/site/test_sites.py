"""Which realm's site a request is for."""

from typing import Any

import pytest

from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.errors import LimitReached
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.own_hosts import OwnHosts
from fanoutcloud.edge.site.sites import Site, SiteFinder, SiteNames, UnknownHost, decode_path
from tests.fakes.directory import FakeDirectory

REALM = RealmId("0a1b2c3d")
CHAT = Domain(name="chat.example.com", challenge="c0ffee")


def _scope(path: str, host: str | None) -> dict[str, Any]:
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    return {"path": path, "headers": headers, "client": ("203.0.113.9", 50_000)}


def _find(path: str, host: str | None = None, **options: tuple[str, ...]) -> Site | None:
    return SiteNames(OwnHosts("edge.example:8000", **options)).find(_scope(path, host))


@pytest.mark.parametrize(
    ("path", "host", "site"),
    [
        ("/r/0a1b2c3d/fanout/sse", "anything", Site("0a1b2c3d", "/fanout/sse", is_by_path=True)),  # type: ignore[arg-type]
        ("/r/0a1b2c3d", None, Site("0a1b2c3d", "/", is_by_path=True)),  # type: ignore[arg-type]
        ("/r/0a1b2c3d/", None, Site("0a1b2c3d", "/", is_by_path=True)),  # type: ignore[arg-type]
        ("/fanout/ws", "0a1b2c3d.edge.example", Site("0a1b2c3d", "/fanout/ws")),  # type: ignore[arg-type]
        ("/fanout/ws", "0A1B2C3D.Edge.Example:8000", Site("0a1b2c3d", "/fanout/ws")),  # type: ignore[arg-type]
        ("/r/ffffffff/x", "0a1b2c3d.edge.example", Site("0a1b2c3d", "/r/ffffffff/x")),  # type: ignore[arg-type]
    ],
)
def test_a_site_is_named_by_path_or_host(path: str, host: str | None, site: Site) -> None:
    assert _find(path, host) == site


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/", None),
        ("/", "edge.example"),
        ("/realms/", "localhost:8000"),
        ("/", ".edge.example"),
        ("/", "a.b.edge.example"),
        ("/", "0a1b2c3d.edge.example.evil.example"),
        ("/", "0a1b2c3dedge.example"),
        ("/", "\xff.edge.example"),
        ("/", "[::1]:8000"),
        ("/r/", None),
        ("/r//fanout/ws", None),
        ("/r/../realms/", None),
        ("/r/0a1b2c3d%2f/x", None),
        ("/R/0a1b2c3d/fanout/ws", None),
        ("/r/" + "a" * 65 + "/fanout/ws", None),
    ],
)
def test_everything_else_is_no_site(path: str, host: str | None) -> None:
    assert _find(path, host) is None


def test_a_name_of_the_dashboard_is_no_site() -> None:
    assert _find("/", "www.edge.example", other_hosts=("WWW.edge.example",)) is None
    assert _find("/", "0a1b2c3d.edge.example", other_hosts=("www.edge.example",)) is not None


@pytest.mark.parametrize(("raw", "path"), [(b"/a%20b", "/a b"), (b"/%C3%A4", "/ä"), (b"/%FF", "/\ufffd")])
def test_paths_are_decoded_as_servers_do(raw: bytes, path: str) -> None:
    assert decode_path(raw) == path


# -- custom domains ----------------


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory(RealmSnapshot(REALM, keys=(), retention=Retention(), domains=(Domain(), CHAT)))


def _finder(directory: FakeDirectory, *hosts: str) -> SiteFinder:
    names = SiteNames(OwnHosts("edge.example:8000", other_hosts=hosts))
    return SiteFinder(names, directory, FailuresByAddress(SystemClock()))


@pytest.mark.parametrize("host", ["chat.example.com", "CHAT.example.com.", "chat.example.com:8443"])
async def test_a_custom_domain_has_all_paths_for_its_realm(directory: FakeDirectory, host: str) -> None:
    finder = _finder(directory)

    for path in ("/", "/fanout/ws", "/r/ffffffff/x", "/realm/0a1b2c3d/publish/", "/accounts/login/"):
        assert await finder.find(_scope(path, host)) == Site(REALM, path, CHAT)

    assert directory.looked_up_hosts == ["chat.example.com"]


@pytest.mark.parametrize(
    "host", ["localhost:8000", "edge.example", "www.edge.example", "api.example.com", "10.0.0.7", "x"]
)
async def test_our_own_hosts_and_addresses_cost_no_look_up(directory: FakeDirectory, host: str) -> None:
    finder = _finder(directory, "www.edge.example", ".example.com", "localhost")

    assert await finder.find(_scope("/realms/", host)) is None
    finder.check_host(_scope("/realms/", host))

    assert directory.looked_up_hosts == []


async def test_a_name_that_nobody_has_is_refused_unless_the_path_names_a_site(directory: FakeDirectory) -> None:
    finder = _finder(directory)

    assert await finder.find(_scope("/realms/", "evil.example.net")) is None
    assert await finder.find(_scope("/r/0a1b2c3d/fanout/ws", "evil.example.net")) == Site(
        REALM, "/fanout/ws", is_by_path=True
    )
    assert directory.looked_up_hosts == ["evil.example.net"]
    with pytest.raises(UnknownHost) as refusal:
        finder.check_host(_scope("/realms/", "evil.example.net"))

    assert refusal.value.http_status == 404
    assert "Domains page" in refusal.value.cure


async def test_an_installation_for_every_name_refuses_none(directory: FakeDirectory) -> None:
    finder = _finder(directory, "*")

    assert await finder.find(_scope("/", "chat.example.com")) == Site(REALM, "/", CHAT)
    finder.check_host(_scope("/realms/", "evil.example.net"))


async def test_whoever_makes_names_up_is_not_looked_up_any_more(directory: FakeDirectory) -> None:
    finder = _finder(directory)
    with pytest.raises(LimitReached):
        await _try_names(finder, 200)

    assert len(directory.looked_up_hosts) < 150
    assert await _finder(directory).find(_scope("/", "chat.example.com"))


async def _try_names(finder: SiteFinder, count: int) -> None:
    for number in range(count):
        await finder.find(_scope("/", f"n{number}.example.net"))
