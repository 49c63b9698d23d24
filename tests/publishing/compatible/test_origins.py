"""`POST /realm/{realm}/http/{domain}/`: what it changes, whom it refuses, and how."""

import base64
import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from fanoutcloud.core.domains import Domain, Origin, Route
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.names import RealmId
from publishing.authentication import Authenticator
from realms.models import RealmDomain
from realms.services import CreatedRealm, claim_domain, set_up_domain
from realms.services.domains import grant_domain
from realms.snapshots import find_snapshot
from tests.factories import make_realm
from tests.fakes.activity import RecordingActivity
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory
from tests.publishing.credentials import basic, bearer

PLAIN, TLS = Origin("app.acme.com", 8080), Origin("app.acme.com", 8443, is_tls=True)
BOTH = {"host": "app.acme.com", "port": "8080", "ssl_host": "app.acme.com", "ssl_port": "8443"}


@pytest.fixture
def foreign(charlie: User) -> CreatedRealm:
    return make_realm(charlie)


@pytest.fixture(autouse=True)
def plane(created: CreatedRealm, foreign: CreatedRealm) -> Iterator[SimpleNamespace]:
    """A delivery plane that knows the realms and is watched."""
    clock = SteppedClock()
    snapshots = [find_snapshot(RealmId(one.realm.pk)) for one in (created, foreign)]
    authenticator = Authenticator(FakeDirectory(*filter(None, snapshots)), clock)
    activity = RecordingActivity(RealmId(created.realm.pk))
    plane = SimpleNamespace(flight=FlightRecorder(clock), authenticator=authenticator, activity=activity, clock=clock)
    config = apps.get_app_config("publishing")
    config.plane = plane
    yield plane
    config.plane = None


class Caller:
    """Somebody with a key of a realm."""

    def __init__(self, created: CreatedRealm) -> None:
        self.realm = created.realm.pk
        self.credential = basic(created.realm.pk, created.secret).decode()

    def __call__(self, domain: str = "default", form: object = None, **headers: str) -> HttpResponse:
        headers = {"Authorization": self.credential} | headers
        return Client(enforce_csrf_checks=True).post(f"/realm/{self.realm}/http/{domain}/", form or {}, headers=headers)


@pytest.fixture
def call(created: CreatedRealm) -> Caller:
    return Caller(created)


def domain_of(created: CreatedRealm, name: str = "") -> Domain:
    snapshot = find_snapshot(RealmId(created.realm.pk))
    assert snapshot is not None
    domain = snapshot.find_domain(name)
    assert domain is not None
    return domain


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


@pytest.mark.parametrize(
    ("form", "origins", "routes"),
    [
        ({"host": "app.acme.com", "port": "8080"}, (PLAIN,), ()),
        ({"ssl_host": "app.acme.com", "ssl_port": "8443"}, (TLS,), ()),
        (BOTH, (PLAIN,), (Route("/", origins=(TLS,), is_tls=True),)),
        (BOTH | {"host": "", "port": ""}, (TLS,), ()),
        ({"host": "[2001:db8::1]", "port": "80"}, (Origin("2001:db8::1", 80),), ()),
    ],
)
def test_requests_go_where_the_form_says(call: Caller, created: CreatedRealm, form, origins, routes):
    response = call(form=form)

    assert (response.status_code, text_of(response)) == (200, "Updated\n")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (domain_of(created).origins, domain_of(created).routes) == (origins, routes)


def test_what_is_left_out_stays(call: Caller, created: CreatedRealm):
    rule = Route("/api/", origins=(Origin("api.acme.com", 80),))
    before = Domain(origins=(PLAIN,), routes=(rule,), has_json_p=True, host_header="x.acme.com")
    set_up_domain(realm=created.realm, name="", domain=before)

    call(form={"over_http": "false"})
    assert domain_of(created) == Domain(
        origins=(PLAIN,), routes=(rule,), has_json_p=True, host_header="x.acme.com", is_websocket_over_http=False
    )
    call(form={"ssl_host": "app.acme.com", "ssl_port": "8443", "rewrite_host": "true"})
    changed = domain_of(created)
    assert (changed.origins, changed.rewrites_host, changed.host_header) == ((PLAIN,), True, None)
    assert changed.routes == (rule, Route("/", origins=(TLS,), is_tls=True))
    call(form={"ssl_host": "", "ssl_port": ""})
    assert (domain_of(created).origins, domain_of(created).routes) == ((PLAIN,), (rule,))


@pytest.mark.parametrize("path", ["default", "default/", "{realm}.localhost", "{realm}.LOCALHOST."])
def test_the_built_in_domain_has_several_names(call: Caller, created: CreatedRealm, path: str):
    path = path.format(realm=created.realm.pk).rstrip("/")
    assert call(path, {"host": "app.acme.com", "port": "8080"}).status_code == 200

    assert domain_of(created).origins == (PLAIN,)


def test_a_custom_domain_is_changed_by_its_name(call: Caller, created: CreatedRealm):
    grant_domain(domain_id=claim_domain(realm=created.realm, name="push.acme.com").pk, proof="dns")

    assert call("Push.Acme.com", {"host": "app.acme.com", "port": "8080"}).status_code == 200

    assert domain_of(created, "push.acme.com").origins == (PLAIN,)
    assert domain_of(created).origins == ()


def test_every_form_of_credential_opens_it(created: CreatedRealm):
    secret = base64.b64decode(created.secret)
    for credential in (
        bearer(secret, iss=created.realm.pk, exp=4_102_444_800),
        b"Bearer " + created.secret.encode(),
        basic(created.realm.pk, created.secret).removeprefix(b"Basic "),
    ):
        call = Caller(created)
        call.credential = credential.decode()
        assert call(form={"over_http": "false"}).status_code == 200


def test_a_key_of_another_realm_opens_nothing(call: Caller, created: CreatedRealm, foreign: CreatedRealm):
    grant_domain(domain_id=claim_domain(realm=foreign.realm, name="push.charlie.com").pk, proof="dns")

    assert call("push.charlie.com", {"host": "evil.com", "port": "80"}).status_code == 404
    call.credential = basic(foreign.realm.pk, foreign.secret).decode()
    assert call(form={"host": "evil.com", "port": "80"}).status_code == 403
    call.realm = "00000000"
    assert call(form={"host": "evil.com", "port": "80"}).status_code == 403
    call.credential = "Bearer nonsense"
    unknown = call(form={"host": "evil.com", "port": "80"})

    assert unknown.status_code == 401
    assert unknown.headers["WWW-Authenticate"].startswith("Bearer")
    assert not RealmDomain.objects.exclude(document={}).exists()


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"host": "app.acme.com"}, "port"),
        ({"port": "80"}, "host"),
        ({"ssl_host": "app.acme.com", "ssl_port": ""}, "ssl_port"),
        ({"host": "app.acme.com", "port": "http"}, "port"),
        ({"host": "app.acme.com", "port": "0"}, "port"),
        ({"ssl_host": "app.acme.com", "ssl_port": "65536"}, "ssl_port"),
        ({"host": "http://app.acme.com", "port": "80"}, "host"),
        ({"ssl_host": "localhost", "ssl_port": "8000"}, "ssl_host"),
        ({"rewrite_host": "maybe"}, "rewrite_host"),
        ({"over_http": ""}, "over_http"),
        ({}, "body"),
    ],
)
def test_what_can_not_work_names_its_field(call: Caller, created: CreatedRealm, form: dict[str, str], field: str):
    response = call(form=form, Accept="application/json")

    assert response.status_code == 400
    error = json.loads(response.content)["error"]
    assert (error["field"], bool(error["cure"])) == (field, True)
    assert domain_of(created) == Domain()
    assert text_of(call(form=form)).startswith(f"{field}: ")


def test_a_refusal_is_shown_to_the_owner(call: Caller, plane: SimpleNamespace):
    call(form={"port": "80"})

    [(_, event)] = plane.activity.events
    assert (event.status, event.field) == (400, "host")


def test_methods_and_accepted_types_are_those_of_the_compatible_api(call: Caller, created: CreatedRealm):
    url = f"/realm/{created.realm.pk}/http/default"  # without the last slash
    refused = Client().get(url, headers={"Authorization": call.credential})
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST, OPTIONS")
    preflight = Client().options(url)
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert call(form={"over_http": "true"}, Accept="image/png").status_code == 406
    assert call(form={"over_http": "true"}, Accept="application/json").json() == {"message": "Updated"}


def test_a_process_without_a_delivery_plane_says_so(call: Caller):
    apps.get_app_config("publishing").plane = None

    response = call(form={"over_http": "true"})

    assert (response.status_code, bool(response.headers["Retry-After"])) == (503, True)
