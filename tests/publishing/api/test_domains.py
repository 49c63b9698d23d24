"""Domains by program."""

import pytest

from realms.models import RealmDomain
from realms.services import CreatedRealm
from realms.services.domains import grant_domain
from tests.publishing.api.callers import Caller


def test_a_domain_is_claimed_proven_set_up_and_given_up(alices_caller: Caller, created: CreatedRealm):
    base = f"realms/{created.realm.pk}/domains"
    made = alices_caller.post(base, {"name": "push.acme.com"})
    assert made.status_code == 201
    claim = made.json()
    assert claim["is_proven"] is False
    assert claim["dns_record"] == "_fanout-challenge.push.acme.com"
    assert claim["http_file"].endswith(claim["challenge"])

    grant_domain(domain_id=RealmDomain.objects.get().pk, proof="dns")
    location = made.headers["Location"]
    assert alices_caller.get(location).json()["is_proven"] is True
    origin = {"host": "app.acme.com", "port": 443, "is_tls": True}
    changed = alices_caller.patch(location, {"origins": [origin], "extra_headers": [["X-From", "edge"]]}).json()
    assert changed["origins"] == [origin]
    again = alices_caller.patch(location, {"cross_origin": "auto"}).json()
    assert (again["origins"], again["extra_headers"]) == ([origin], [["X-From", "edge"]])
    assert [domain["name"] for domain in alices_caller.get(base).json()["items"]] == ["default", "push.acme.com"]
    assert alices_caller.delete(location).status_code == 204
    assert alices_caller.get(location).json()["code"] == "domain_not_found"


def test_the_built_in_domain_is_set_up_and_stays(alices_caller: Caller, created: CreatedRealm):
    path = f"realms/{created.realm.pk}/domains/default"
    route = {"prefix": "/chat/", "origins": [{"host": "192.0.2.1", "port": 80}], "path": "/"}

    changed = alices_caller.patch(path, {"routes": [route]})

    assert changed.json()["routes"][0]["prefix"] == "/chat/"
    assert alices_caller.delete(path).status_code == 404
    assert alices_caller.post(f"{path}/check").json()["is_proven"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"origins": [{"host": "app.acme.com"}]}, "origins[0].port"),
        ({"origins": [{"host": "a b", "port": 80}]}, "origins[0].host"),
        ({"origins": [{"host": "a", "port": 80, "weight": 2}]}, "origins[0].weight"),
        ({"origins": [{"host": "a", "port": "80"}]}, "origins[0].port"),
        ({"routes": [{"prefix": "chat"}]}, "routes[0].prefix"),
        ({"extra_headers": [["Host", "x"]]}, "extra_headers[0].name"),
        ({"forwarded_for": {"keep": 21}}, "forwarded_for.keep"),
    ],
)
def test_what_can_not_be_set_is_named(
    alices_caller: Caller, created: CreatedRealm, body: dict[str, object], field: str
):
    answer = alices_caller.patch(f"realms/{created.realm.pk}/domains/default", body)

    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.content
