"""Names that a realm can have, and those that it can't."""

import pytest
from pytest_django.fixtures import Settings

from realms.domain_names import is_private, parse_domain_name
from realms.errors import InvalidDomainName


@pytest.fixture
def _public(settings: Settings) -> None:
    """An installation that others can reach."""
    settings.PUBLIC_URL = "https://dash.fanout.example.com"
    settings.EDGE_DOMAIN = "edge.example.com"
    settings.ALLOWED_HOSTS = ["dash.fanout.example.com", ".api.example.com", "localhost"]


@pytest.fixture
def _local(settings: Settings) -> None:
    """An installation for trying things."""
    settings.PUBLIC_URL, settings.EDGE_DOMAIN = "http://localhost:8000", "localhost:8000"
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]


@pytest.mark.usefixtures("_public")
@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("push.acme.com", "push.acme.com"),
        ("  Push.ACME.com. ", "push.acme.com"),
        ("https://push.acme.com/some/path?x=1", "push.acme.com"),
        ("push.acme.com:8443", "push.acme.com"),
        ("push.acme.com/path", "push.acme.com"),
        ("bücher.example.org", "xn--bcher-kva.example.org"),
        ("acme.co.uk", "acme.co.uk"),
        ("_x.acme.com", "_x.acme.com"),
    ],
)
def test_a_name_is_read_however_it_is_pasted(typed: str, name: str):
    assert parse_domain_name(typed) == name


@pytest.mark.usefixtures("_public")
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "no name"),
        ("   ", "no name"),
        ("com", "no DNS name"),
        ("*.acme.com", "wildcards"),
        ("198.51.100.7", "address"),
        ("https://[2001:db8::1]:443/", "address"),
        ("https://[half", "no DNS name"),
        ("push acme.com", "no DNS name"),
        ("push..acme.com", "no DNS name"),
        ("-push.acme.com", "no DNS name"),
        ("a" * 64 + ".com", "no DNS name"),
        (".".join(["a" * 60] * 5), "no DNS name"),
        ("acme.1", "no DNS name"),
        ("ä" * 70 + ".com", "no DNS name"),
        ("co.uk", "registry"),
        ("dash.fanout.example.com", "this installation"),
        ("edge.example.com", "this installation"),
        ("0a1b2c3d.edge.example.com", "this installation"),
        ("a.b.edge.example.com", "under edge.example.com"),
        ("api.example.com", "this installation"),
        ("v2.api.example.com", "this installation"),
        ("push.localhost", "not on the internet"),
        ("push.acme.internal", "not on the internet"),
        ("7.2.0.192.in-addr.arpa", "not on the internet"),
    ],
)
def test_a_name_that_no_realm_can_have_is_refused_with_its_cure(typed: str, words: str):
    with pytest.raises(InvalidDomainName) as refusal:
        parse_domain_name(typed)

    assert words in str(refusal.value)
    assert refusal.value.cure
    assert refusal.value.field == "name"


@pytest.mark.usefixtures("_local")
def test_names_of_this_machine_can_be_had_where_only_this_machine_is_served():
    for name in ("push.app.localhost", "chat.test", "push.acme.com"):
        assert parse_domain_name(name) == name
    with pytest.raises(InvalidDomainName) as refusal:
        parse_domain_name("push.localhost")  # a realm's own host form, were its id "push"

    assert "push.app.localhost" in refusal.value.cure


def test_which_names_nobody_can_prove():
    assert [is_private(name) for name in ("a.localhost", "a.test", "a.example.com", "test.com")] == [
        True, True, False, False,
    ]  # fmt: skip
