"""Inspectors: what they keep, for how long, and who may have one."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from fanoutcloud.core.errors import BodyTooLarge
from publishing.inspector import services
from publishing.inspector.errors import InspectorBusy, InspectorLimitReached, InspectorNotFound
from publishing.inspector.services import (
    close_inspector,
    forget_old_requests,
    inspector_url,
    list_requests,
    open_inspector,
    take_request,
)
from publishing.models import InspectedRequest, Inspector, WebhookEndpoint
from publishing.webhooks.endpoints import change_endpoint, create_endpoint
from realms.errors import InvalidRequestUrl
from realms.sandbox_errors import NotInSandbox
from realms.services import CreatedRealm
from realms.services.webhooks import check_url
from tests.factories import make_realm


@pytest.fixture
def inspector(created: CreatedRealm) -> Inspector:
    cache.clear()
    return open_inspector(realm=created.realm)


def take(inspector: Inspector, body: bytes = b"{}") -> InspectedRequest:
    return take_request(name=inspector.name, method="POST", query="a=b", headers=[("X-A", "b")], body=body)


def test_an_inspector_comes_with_an_endpoint_that_is_called_there(inspector: Inspector, created: CreatedRealm):
    endpoint = WebhookEndpoint.objects.get()

    assert (endpoint.url, endpoint.realm) == (inspector_url(inspector), created.realm)
    assert inspector.endpoint == endpoint


def test_what_comes_is_kept_as_it_came(inspector: Inspector):
    row = take(inspector, b"\x00\xff")

    (kept,) = list_requests(inspector)
    assert (kept.pk, kept.method, kept.query, bytes(kept.body)) == (row.pk, "POST", "a=b", b"\x00\xff")
    assert kept.headers == [["X-A", "b"]]
    assert kept.verdict == "unsigned"


def test_only_the_newest_are_kept(inspector: Inspector, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(services, "MAX_REQUESTS", 3)
    ids = [take(inspector).pk for _ in range(5)]

    assert [row.pk for row in list_requests(inspector)] == ids[:1:-1]
    assert [row.pk for row in list_requests(inspector, after=ids[-2])] == ids[-1:]


def test_size_and_rate_are_bounded(inspector: Inspector, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BodyTooLarge):
        take(inspector, b"x" * 65_537)
    with pytest.raises(InspectorNotFound):
        take_request(name="0" * 24, method="POST", query="", headers=[], body=b"")
    monkeypatch.setattr(services, "MAX_REQUESTS_PER_S", 0)
    with pytest.raises(InspectorBusy):
        take(inspector)
    assert not InspectedRequest.objects.exists()


def test_a_realm_has_a_few_and_closes_its_own(inspector: Inspector, created: CreatedRealm, charlie: User):
    for _ in range(services.MAX_INSPECTORS_PER_REALM - 1):
        open_inspector(realm=created.realm)
    with pytest.raises(InspectorLimitReached):
        open_inspector(realm=created.realm)
    with pytest.raises(InspectorNotFound):
        close_inspector(realm=make_realm(charlie).realm, inspector_id=inspector.pk)

    close_inspector(realm=created.realm, inspector_id=inspector.pk)

    assert not WebhookEndpoint.objects.filter(pk=inspector.endpoint_id).exists()
    assert Inspector.objects.count() == services.MAX_INSPECTORS_PER_REALM - 1


def test_old_requests_and_inspectors_that_nobody_looks_at_go(inspector: Inspector, created: CreatedRealm):
    seen = open_inspector(realm=created.realm)
    take(seen)
    InspectedRequest.objects.update(at=timezone.now() - timedelta(days=2))
    Inspector.objects.filter(pk=inspector.pk).update(seen_at=timezone.now() - timedelta(days=4))

    forget_old_requests()

    assert list(Inspector.objects.all()) == [seen]
    assert not InspectedRequest.objects.exists()
    assert WebhookEndpoint.objects.count() == 1


def test_a_look_keeps_it(inspector: Inspector):
    Inspector.objects.update(seen_at=timezone.now() - timedelta(days=2))
    inspector.refresh_from_db()

    list_requests(inspector)

    inspector.refresh_from_db()
    assert timezone.now() - inspector.seen_at < timedelta(minutes=1)


def test_a_sandbox_calls_its_inspector_and_nothing_else(created: CreatedRealm):
    created.realm.owner = None
    created.realm.save(update_fields=["owner"])
    inspector = open_inspector(realm=created.realm)

    with pytest.raises(NotInSandbox):
        create_endpoint(realm=created.realm, url="https://hooks.example.com/")
    for url in ("https://hooks.example.com/", f"{inspector_url(inspector)}x"):
        with pytest.raises(NotInSandbox):
            change_endpoint(realm=created.realm, endpoint_id=inspector.endpoint_id, changes={"url": url})
    changes = {"url": inspector_url(inspector), "label": "mine"}
    assert change_endpoint(realm=created.realm, endpoint_id=inspector.endpoint_id, changes=changes).label == "mine"


def test_of_our_own_addresses_only_inspectors_are_called(settings: Settings):
    settings.PUBLIC_URL = "https://fanout.example.com"
    settings.ALLOWED_HOSTS = ["fanout.example.com"]
    own = "https://fanout.example.com/inspect/" + "0a" * 12 + "/"

    assert check_url(own) == own
    for url in (
        "https://fanout.example.com/", f"{own}x", own[:-1], own.replace("0a", "0A"), f"{own}?a=b",
        "https://fanout.example.com/inspect/../api/", own.replace("https", "http"),
    ):  # fmt: skip
        with pytest.raises(InvalidRequestUrl, match="leads back here"):
            check_url(url)
