"""The edge's own answer to the proof of the domains that lead to it."""

from typing import Any

import pytest

from fanoutcloud.core.domains import Domain
from fanoutcloud.core.names import RealmId
from fanoutcloud.edge.site.challenges import answer_challenge, is_challenge
from fanoutcloud.edge.site.sites import Site

DOMAIN = Domain(name="push.acme.com", challenge="c0ffee")
PATH = "/.well-known/fanout-challenge/c0ffee"


def _site(path: str, domain: Domain | None = DOMAIN) -> Site:
    return Site(RealmId("0a1b2c3d"), path, domain)


@pytest.mark.parametrize(
    ("site", "kind", "method", "is_one"),
    [
        (_site(PATH), "http", "GET", True),
        (_site(PATH), "http", "HEAD", True),
        (_site(PATH), "http", "POST", False),
        (_site(PATH), "websocket", "", False),
        (_site(PATH + "x"), "http", "GET", False),
        (_site("/.well-known/fanout-challenge/"), "http", "GET", False),
        (_site("/.well-known/fanout-challenge/", Domain(name="push.acme.com")), "http", "GET", False),
        (_site(PATH, None), "http", "GET", False),
    ],
)
def test_only_a_domains_own_proof_is_answered(site: Site, kind: str, method: str, is_one: bool) -> None:
    assert is_challenge(site, {"type": kind, "method": method}) is is_one


@pytest.mark.parametrize(("method", "body"), [("GET", b"c0ffee\n"), ("HEAD", b"")])
async def test_the_answer_is_the_proof(method: str, body: bytes) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await answer_challenge(_site(PATH), {"type": "http", "method": method}, send)

    assert (sent[0]["status"], sent[1]["body"]) == (200, body)
