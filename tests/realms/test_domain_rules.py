"""What may be set for a domain."""

import dataclasses

import pytest
from pytest_django.fixtures import Settings

from fanoutcloud.core.domains import Domain, ForwardedFor, Origin, Route
from realms.domain_rules import check_domain
from realms.errors import InvalidDomainSetting
from realms.services import CreatedRealm, claim_domain
from realms.services.domains import grant_domain

APP = Origin("app.acme.com", 443, is_tls=True)
GOOD = Domain(
    origins=(APP, Origin("192.0.2.7", 8080), Origin("2001:db8::1", 80), Origin("backend", 3000)),
    routes=(
        Route("/api/", origins=(APP,)),
        Route("/api/", origins=(APP,), protocol="ws"),
        Route("/live/", path="/fanout/"),
    ),
    host_header="app.acme.com:8443",
    extra_headers=(("X-From", "edge 7"), ("Cookie", "")),
    forwarded_for=ForwardedFor(keep=1),
)


@pytest.fixture(autouse=True)
def _public(settings: Settings, db: None) -> None:
    settings.PUBLIC_URL, settings.PORT = "https://dash.example.com", 8000
    settings.EDGE_DOMAIN, settings.ALLOWED_HOSTS = "edge.example.com", ["dash.example.com", "localhost"]


def find_refusal(domain: Domain) -> InvalidDomainSetting | None:
    try:
        check_domain(domain)
    except InvalidDomainSetting as refusal:
        return refusal
    return None


@pytest.mark.parametrize("domain", [GOOD, Domain()])
def test_what_makes_sense_is_taken(domain: Domain):
    assert find_refusal(domain) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"origins": (Origin("", 80),)}, "origins[0].host"),
        ({"origins": (APP, Origin("http://app", 80))}, "origins[1].host"),
        ({"origins": (APP, Origin("a b", 80))}, "origins[1].host"),
        ({"origins": (APP, Origin("a\r\nb", 80))}, "origins[1].host"),
        ({"origins": (Origin("x" * 300, 80),)}, "origins[0].host"),
        ({"origins": (Origin("app", 0),)}, "origins[0].port"),
        ({"origins": (Origin("app", 65_536),)}, "origins[0].port"),
        ({"origins": (APP, APP)}, "origins[1]"),
        ({"origins": tuple(Origin("app", port) for port in range(1, 10))}, "origins"),
        ({"routes": (Route("api"),)}, "routes[0].prefix"),
        ({"routes": (Route("/a?b"),)}, "routes[0].prefix"),
        ({"routes": (Route("/ä"),)}, "routes[0].prefix"),
        ({"routes": (Route("/a"), Route("/a"))}, "routes[1].prefix"),
        ({"routes": (Route("/a", path="b"),)}, "routes[0].path"),
        ({"routes": (Route("/a", origins=(Origin("app", -1),)),)}, "routes[0].origins[0].port"),
        ({"routes": tuple(Route(f"/{number}") for number in range(51))}, "routes"),
        ({"host_header": "a b"}, "host_header"),
        ({"host_header": ""}, "host_header"),
        ({"host_header": "user@host"}, "host_header"),
        ({"host_header": "host/path"}, "host_header"),
        ({"host_header": "host:99999"}, "host_header"),
        ({"host_header": "host\r\nX-Evil: 1"}, "host_header"),
        ({"extra_headers": (("X A", "1"),)}, "extra_headers[0].name"),
        ({"extra_headers": (("Host", "a"),)}, "extra_headers[0].name"),
        ({"extra_headers": (("Transfer-Encoding", "chunked"),)}, "extra_headers[0].name"),
        ({"extra_headers": (("grip-sig", "forged"),)}, "extra_headers[0].name"),
        ({"extra_headers": (("X-A", "1\r\nX-B: 2"),)}, "extra_headers[0].value"),
        ({"extra_headers": tuple((f"X-{number}", "1") for number in range(21))}, "extra_headers"),
        ({"forwarded_for": ForwardedFor(keep=-1)}, "forwarded_for.keep"),
    ],
)
def test_what_can_not_work_is_refused_at_its_place(change: dict[str, object], field: str):
    refusal = find_refusal(dataclasses.replace(GOOD, **change))  # type: ignore[arg-type]

    assert refusal is not None
    assert refusal.field == field
    assert refusal.cure


@pytest.mark.parametrize(
    "origin",
    [
        Origin("dash.example.com", 443, is_tls=True),
        Origin("DASH.example.com.", 80),
        Origin("0a1b2c3d.edge.example.com", 443),
        Origin("edge.example.com", 8000),
    ],
)
def test_the_installation_itself_is_no_origin(origin: Origin):
    with pytest.raises(InvalidDomainSetting) as refusal:
        check_domain(Domain(origins=(origin,)))

    assert "round in circles" in str(refusal.value)


def test_a_name_that_leads_here_is_no_origin(created: CreatedRealm):
    claim = claim_domain(realm=created.realm, name="push.acme.com")
    check_domain(Domain(origins=(Origin("push.acme.com", 443),)))
    grant_domain(domain_id=claim.pk, proof="dns")

    with pytest.raises(InvalidDomainSetting):
        check_domain(Domain(origins=(Origin("push.acme.com", 443),)))


def test_another_port_of_this_machine_is_an_origin_where_only_it_is_served(settings: Settings):
    settings.PUBLIC_URL, settings.PORT = "http://localhost:8000", 8000
    settings.ALLOWED_HOSTS, settings.EDGE_DOMAIN = ["localhost", "127.0.0.1"], "localhost:8000"

    for host in ("localhost", "127.0.0.1", "::1", "app.localhost"):
        check_domain(Domain(origins=(Origin(host, 3000), Origin(host, 80))))
        with pytest.raises(InvalidDomainSetting):
            check_domain(Domain(origins=(Origin(host, 8000),)))
