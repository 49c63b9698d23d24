"""Which realm's site a request is for."""

import pytest

from fanoutcloud.edge.sites import Site, SiteNames, decode_path


def _find(path: str, host: str | None = None, **options: tuple[str, ...]) -> Site | None:
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    return SiteNames("edge.example:8000", **options).find({"path": path, "headers": headers})


@pytest.mark.parametrize(
    ("path", "host", "site"),
    [
        ("/r/0a1b2c3d/fanout/sse", "anything", Site("0a1b2c3d", "/fanout/sse")),  # type: ignore[arg-type]
        ("/r/0a1b2c3d", None, Site("0a1b2c3d", "/")),  # type: ignore[arg-type]
        ("/r/0a1b2c3d/", None, Site("0a1b2c3d", "/")),  # type: ignore[arg-type]
        ("/fanout/ws", "0a1b2c3d.edge.example", Site("0a1b2c3d", "/fanout/ws")),  # type: ignore[arg-type]
        ("/fanout/ws", "0A1B2C3D.Edge.Example:8000", Site("0a1b2c3d", "/fanout/ws")),  # type: ignore[arg-type]
        ("/r/ffffffff/x", "0a1b2c3d.edge.example", Site("ffffffff", "/x")),  # type: ignore[arg-type]
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
