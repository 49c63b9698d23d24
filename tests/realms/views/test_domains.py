"""The Domains pages: what each shows, changes and refuses, by role, and that Charlie sees none of it."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from fanoutcloud.core.domains import Domain, ForwardedFor, Origin, Route
from fanoutcloud.core.names import RealmId
from realms.models import Member, RealmDomain
from realms.roles import Role
from realms.services import CreatedRealm, claim_domain, set_up_domain
from realms.services.domains import grant_domain
from realms.snapshots import find_snapshot
from tests.factories import make_realm
from tests.realms.test_proofs import Internet

NAME = "push.acme.com"
HTMX = {"HX-Request": "true"}
APP = Origin("app.acme.com", 443, is_tls=True)
#: What a browser sends of the form as it comes.
FORM = {"origins": "https://app.acme.com", "sockets": "http", "host": "client", "forwarded_keep": "0"}


@pytest.fixture
def row(created: CreatedRealm) -> RealmDomain:
    return claim_domain(realm=created.realm, name=NAME)


@pytest.fixture
def bob_client(bob: User, created: CreatedRealm) -> Client:
    """A browser of Bob, who may look."""
    Member.objects.create(realm=created.realm, user=bob, role=Role.VIEWER)
    client = Client()
    client.force_login(bob)
    return client


def url_of(created: CreatedRealm, page: str, *more: str) -> str:
    return reverse(f"realms:{page}", args=[created.realm.pk, *more])


def endpoints(created: CreatedRealm) -> list[tuple[str, str]]:
    return [
        ("get", url_of(created, "domains")),
        ("get", url_of(created, "domain", NAME)),
        ("get", url_of(created, "domain", "default")),
        ("post", url_of(created, "domain_add")),
        ("post", url_of(created, "domain_settings", NAME)),
        ("post", url_of(created, "domain_settings", "default")),
        ("post", url_of(created, "domain_check", NAME)),
        ("post", url_of(created, "domain_remove", NAME)),
    ]


def text_of(response) -> str:
    return response.content.decode()


def domain_of(created: CreatedRealm, name: str = "") -> Domain:
    snapshot = find_snapshot(RealmId(created.realm.pk))
    assert snapshot is not None
    domain = snapshot.find_domain(name)
    assert domain is not None
    return domain


# -- who gets in ----------------


def test_every_page_is_missing_for_charlie_and_changes_nothing(
    charlie_client: Client, created: CreatedRealm, row: RealmDomain
):
    for method, url in endpoints(created):
        response = getattr(charlie_client, method)(url, FORM | {"name": "evil.acme.com"})
        assert response.status_code == 404, url
        assert row.challenge not in text_of(response)

    assert [one.name for one in RealmDomain.objects.all()] == [NAME]
    assert domain_of(created) == Domain()


def test_a_domain_of_another_realm_is_not_reached_through_ones_own(
    charlie_client: Client, charlie: User, created: CreatedRealm, row: RealmDomain
):
    own = make_realm(charlie)

    for page in ("domain", "domain_settings", "domain_check", "domain_remove"):
        method = charlie_client.get if page == "domain" else charlie_client.post
        assert method(url_of(own, page, NAME), FORM).status_code == 404

    assert RealmDomain.objects.filter(pk=row.pk).exists()


def test_a_viewer_looks_and_changes_nothing(bob_client: Client, created: CreatedRealm, row: RealmDomain):
    for method, url in endpoints(created):
        response = getattr(bob_client, method)(url, FORM | {"name": "evil.acme.com"})
        assert response.status_code == (200 if method == "get" else 403), url
        assert created.secret not in text_of(response)
        assert "GRIP_URL" not in text_of(response)

    assert [one.name for one in RealmDomain.objects.all()] == [NAME]


def test_strangers_are_sent_to_sign_in(client: Client, created: CreatedRealm, row: RealmDomain):
    for method, url in endpoints(created):
        response = getattr(client, method)(url)
        assert (response.status_code, "login" in response.headers["Location"]) == (302, True)


# -- the list ----------------


def test_the_list_shows_every_name_with_its_state(alice_client: Client, created: CreatedRealm, row: RealmDomain):
    grant_domain(domain_id=claim_domain(realm=created.realm, name="www.acme.com").pk, proof="dns")
    set_up_domain(realm=created.realm, name="", domain=Domain(origins=(APP, Origin("backup.acme.com", 80))))

    page = text_of(alice_client.get(url_of(created, "domains")))

    assert f"{created.realm.pk}.localhost" in page
    assert "app.acme.com:443, else backup.acme.com:80" in page
    assert page.index(NAME) < page.index("To be proven") < page.index("www.acme.com")
    assert "Proven" in page
    assert "base64:" in page


def test_a_name_is_added_and_leads_to_its_proof(alice_client: Client, created: CreatedRealm):
    response = alice_client.post(url_of(created, "domain_add"), {"name": "https://Push.Acme.com/"})

    assert response.headers["Location"] == url_of(created, "domain", NAME)
    page = text_of(alice_client.get(response.headers["Location"]))
    row = RealmDomain.objects.get(name=NAME)
    for words in (f"_fanout-challenge.{NAME}", row.challenge, f"{created.realm.pk}.localhost", "CNAME"):
        assert words in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Write a name"),
        ("*.acme.com", "ildcards"),
        ("localhost", "DNS name"),
        ("x" * 600, "no name"),
        (NAME, "already"),
    ],
)
def test_a_name_that_can_not_be_had_says_why(
    alice_client: Client, created: CreatedRealm, row: RealmDomain, name: str, words: str
):
    response = alice_client.post(url_of(created, "domain_add"), {"name": name})

    assert response.status_code == 422
    assert words in text_of(response)
    assert RealmDomain.objects.count() == 1


# -- the proof ----------------


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_proof_is_looked_for_at_request(
    alice_client: Client, created: CreatedRealm, row: RealmDomain, internet: Internet, headers: dict[str, str]
):
    url = url_of(created, "domain_check", NAME)
    missed = text_of(alice_client.post(url, headers=headers, follow=True))
    assert "no TXT record at _fanout-challenge.push.acme.com" in missed

    internet.texts[f"_fanout-challenge.{NAME}"] = [row.challenge]
    found = text_of(alice_client.post(url, headers=headers, follow=True))

    assert "Proven" in found
    assert ("<html" in found) is not bool(headers)
    assert domain_of(created, NAME).name == NAME


def test_a_name_that_somebody_else_has_says_so(
    alice_client: Client, charlie: User, created: CreatedRealm, row: RealmDomain, internet: Internet
):
    theirs = claim_domain(realm=make_realm(charlie).realm, name=NAME)
    grant_domain(domain_id=theirs.pk, proof="dns")
    internet.texts[f"_fanout-challenge.{NAME}"] = [row.challenge, theirs.challenge]

    page = text_of(alice_client.post(url_of(created, "domain_check", NAME), headers=HTMX))

    assert "belongs to another realm" in page
    assert theirs.realm_id not in page


def test_the_built_in_domain_needs_no_proof(alice_client: Client, created: CreatedRealm):
    assert alice_client.post(url_of(created, "domain_check", "default")).status_code == 404
    assert "challenge" not in text_of(alice_client.get(url_of(created, "domain", "default")))


# -- settings ----------------


def test_everything_can_be_set(alice_client: Client, created: CreatedRealm):
    form = {
        "origins": "https://app.acme.com\nhttp://10.0.0.5:3000",
        "routes": "ws /live/ here as /fanout/",
        "sockets": "ws",
        "host": "fixed",
        "host_header": "app.internal",
        "extra_headers": "X-A: 1",
        "forwarded_keep": "2",
        "adds_cors": "on",
        "has_json_p": "on",
        "is_debug": "on",
    }

    response = alice_client.post(url_of(created, "domain_settings", "default"), form)

    assert response.status_code == 302
    assert domain_of(created) == Domain(
        origins=(APP, Origin("10.0.0.5", 3000)),
        routes=(Route("/live/", path="/fanout/", protocol="ws"),),
        is_websocket_over_http=False,
        host_header="app.internal",
        extra_headers=(("X-A", "1"),),
        forwarded_for=ForwardedFor(keep=2, appends_peer=False),
        cross_origin="auto",
        has_json_p=True,
        is_debug=True,
    )
    page = text_of(alice_client.get(response.headers["Location"]))
    assert "Every edge goes by it within a second" in page
    assert "ws /live/ here as /fanout/" in page


def test_what_the_form_does_not_show_stays(alice_client: Client, created: CreatedRealm):
    set_up_domain(realm=created.realm, name="", domain=Domain(signature_key_id="17"))

    alice_client.post(
        url_of(created, "domain_settings", "default"), FORM | {"host": "origin", "forwarded_appends": "on"}
    )

    assert domain_of(created) == Domain(origins=(APP,), rewrites_host=True, signature_key_id="17")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"origins": "https://a.acme.com\nnot a server"}, "Line 2: &#x27;not a server&#x27; is no host"),
        ({"origins": "http://localhost:8000"}, "Line 1: localhost:8000 is this installation"),
        ({"routes": "/a"}, "Rule 1: "),
        ({"routes": "/a here\n/a here"}, "Rule 2: there is a rule for /a already"),
        ({"extra_headers": "Host: evil"}, "Header 1: Host is set by the edge itself. Use the setting for Host."),
        ({"host": "fixed"}, "Write the name to send"),
        ({"host": "fixed", "host_header": "a b"}, "can&#x27;t be a Host header"),
        ({"forwarded_keep": "many"}, "Write a number from 0 to 20"),
        ({"forwarded_keep": "21"}, "less than or equal to 20"),
        ({"sockets": "carrier pigeon"}, "Select a valid choice"),
        ({"origins": "x" * 20_001}, "at most 20000"),
    ],
)
def test_a_mistake_is_shown_at_its_field_and_saves_nothing(
    alice_client: Client, created: CreatedRealm, change: dict[str, str], words: str
):
    response = alice_client.post(url_of(created, "domain_settings", "default"), FORM | change)

    page = text_of(response)
    assert response.status_code == 422
    assert words in page
    assert 'aria-invalid="true"' in page or "field-error" in page
    assert domain_of(created) == Domain()


def test_a_name_is_removed(alice_client: Client, created: CreatedRealm, row: RealmDomain):
    assert alice_client.post(url_of(created, "domain_remove", "default")).status_code == 404

    response = alice_client.post(url_of(created, "domain_remove", NAME), follow=True)

    assert f"{NAME} is removed" in text_of(response)
    assert not RealmDomain.objects.exists()
