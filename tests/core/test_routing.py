"""Which rule of a domain a request follows."""

import pytest

from fanoutcloud.core.domains import Domain, Origin, Route
from fanoutcloud.core.routing import ClientProtocol, Destination, find_destination, is_own_path

A, B, C = (Origin(f"{name}.example", 80) for name in "abc")


def find(domain: Domain, path: bytes, *, protocol: ClientProtocol = "http", is_tls: bool = False) -> Destination | None:
    return find_destination(domain, path, protocol=protocol, is_tls=is_tls)


def test_without_rules_everything_goes_to_the_domains_origins() -> None:
    assert find(Domain(origins=(A, B)), b"/x") == Destination((A, B), b"/x")


def test_a_domain_that_says_nothing_leads_nowhere() -> None:
    assert find(Domain(), b"/x") is None
    assert find(Domain(routes=(Route("/api", (A,)),)), b"/x") is None


def test_the_longest_prefix_wins_wherever_it_stands() -> None:
    domain = Domain(origins=(A,), routes=(Route("/a/", (B,)), Route("/a/b", (C,))))

    assert [find(domain, path) for path in (b"/a/b/c", b"/a/c", b"/b")] == [
        Destination((C,), b"/a/b/c"),
        Destination((B,), b"/a/c"),
        Destination((A,), b"/b"),
    ]


def test_a_protocol_wins_over_a_longer_prefix_and_a_prefix_over_tls() -> None:
    domain = Domain(routes=(Route("/", (A,), protocol="ws"), Route("/long", (B,)), Route("/", (C,), is_tls=True)))

    assert find(domain, b"/long", protocol="ws") == Destination((A,), b"/long")
    assert find(domain, b"/long", is_tls=True) == Destination((B,), b"/long")
    assert find(domain, b"/", is_tls=True) == Destination((C,), b"/")
    assert find(domain, b"/") is None


def test_a_prefix_is_replaced_and_what_follows_stays_as_it_was_escaped() -> None:
    domain = Domain(routes=(Route("/api/", (A,), "/v2/"), Route("/push", (), "/fanout")))

    assert find(domain, b"/api/a%2Fb") == Destination((A,), b"/v2/a%2Fb")
    found = find(domain, b"/push/ws%20x")
    assert found is not None
    assert (found.origins, found.path) == ((), "/fanout/ws x")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/fanout/ws", True),
        ("/bayeux", True),
        ("/fpp/x", True),
        ("/pubsub", True),
        ("/bayeux.js", True),
        ("/", False),
        ("/fanouts", False),
    ],
)
def test_some_paths_are_always_the_realms_own(path: str, expected: bool) -> None:
    assert is_own_path(path) is expected
