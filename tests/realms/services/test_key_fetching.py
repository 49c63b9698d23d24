"""Public keys at a URL: fetched, kept while the login is down, fetched again on request, and not too often."""

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from accounts.models import User
from fanoutcloud.core.names import RealmId
from realms import tasks
from realms.errors import InvalidTokenKeys
from realms.models import TokenKeySet
from realms.services import CreatedRealm, add_token_keys, key_fetching
from realms.services.key_fetching import fetch_keys_of_realm, fetch_token_keys
from realms.snapshots import find_snapshot
from tests.core.signed import public_jwk
from tests.factories import make_realm
from tests.realms.test_proofs import Internet

URL = "https://login.example.com:443/.well-known/jwks.json"
fetch = async_to_sync(fetch_token_keys)
fetch_realm = async_to_sync(fetch_keys_of_realm)


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    internet = Internet()

    @asynccontextmanager
    async def open_way_out(settings: Any) -> Any:
        yield SimpleNamespace(client=internet)

    monkeypatch.setattr(key_fetching, "open_way_out", open_way_out)
    return internet


@pytest.fixture
def row(created: CreatedRealm) -> TokenKeySet:
    return add_token_keys(realm=created.realm, url=URL)


def serve(internet: Internet, row: TokenKeySet, *algorithms: str, status: int = 200, extra: object = None) -> None:
    keys = [public_jwk(algorithm, kid=algorithm) for algorithm in algorithms] + ([extra] if extra else [])
    internet.files[key_fetching.key_set_target(row.url).url] = (status, json.dumps({"keys": keys}).encode())


def later(row: TokenKeySet, by: timedelta = timedelta(minutes=2)) -> None:
    """Let time pass since the set was asked for."""
    TokenKeySet.objects.filter(pk=row.pk).update(asked_at=timezone.now() - by)


def kids(row: TokenKeySet) -> list[str | None]:
    snapshot = find_snapshot(RealmId(row.realm_id))
    assert snapshot is not None
    assert snapshot.fetches_keys
    return [key.kid for key in snapshot.public_keys]


def test_keys_are_fetched_and_used(row: TokenKeySet, internet: Internet) -> None:
    serve(internet, row, "RS256", "EdDSA", extra={"kty": "RSA", "alg": "PS512", "n": "AA", "e": "AQAB"})

    assert kids(row) == []
    assert fetch(row.pk)
    assert kids(row) == ["RS256", "EdDSA"]


def test_the_same_keys_are_no_news(row: TokenKeySet, internet: Internet) -> None:
    serve(internet, row, "RS256")
    fetch(row.pk)
    later(row)

    assert not fetch(row.pk)


def test_a_url_is_not_asked_again_at_once(row: TokenKeySet, internet: Internet) -> None:
    serve(internet, row, "RS256")
    fetch(row.pk)
    serve(internet, row, "EdDSA")

    assert not fetch(row.pk)
    assert not fetch_realm(RealmId(row.realm_id))
    assert len(internet.requests) == 1
    later(row)
    assert fetch_realm(RealmId(row.realm_id))
    assert kids(row) == ["EdDSA"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (None, 0),
        (b"{}", 404),
        (b"", 302),
        (b"not json", 200),
        (b'{"keys":[]}', 200),
        (b"\xff", 200),
        (b"x" * 70_000, 200),
        (b'{"keys":[{"kty":"oct","k":"AA"}]}', 200),
    ],
)
def test_a_login_that_is_down_or_wrong_keeps_the_keys_that_are_there(
    row: TokenKeySet, internet: Internet, content: bytes | None, status: int
) -> None:
    serve(internet, row, "RS256")
    fetch(row.pk)
    later(row)
    internet.files.clear()
    if content is not None:
        internet.files[key_fetching.key_set_target(row.url).url] = (status, content)

    assert not fetch(row.pk)

    row.refresh_from_db()
    assert row.problem.endswith(".")
    assert kids(row) == ["RS256"]


def test_the_periodic_task_fetches_what_is_due(row: TokenKeySet, internet: Internet, charlie: User) -> None:
    other = add_token_keys(realm=make_realm(charlie).realm, url="https://other.example.com/jwks")
    pasted = add_token_keys(realm=row.realm, document=json.dumps(public_jwk("ES256")))
    for one in (row, other):
        serve(internet, one, "RS256")
    later(other)

    tasks.fetch_token_keys()

    assert len(internet.requests) == 1
    later(other, timedelta(minutes=20))
    tasks.fetch_token_keys()
    assert len(internet.requests) == 2
    pasted.refresh_from_db()
    assert pasted.asked_at is None


def test_a_realm_asks_for_its_own_keys_only(row: TokenKeySet, internet: Internet, charlie: User) -> None:
    serve(internet, row, "RS256")

    assert not fetch_realm(RealmId(make_realm(charlie).realm.pk))
    assert internet.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com/",
        "ftp://a.example",
        "https://localhost/x",
        "https://127.0.0.1.:x/",
        "https://",
        "https://u:p@a.example/",
    ],
)
def test_a_url_that_is_not_called_is_refused(created: CreatedRealm, settings: Any, url: str) -> None:
    settings.ALLOWED_TARGETS = []
    with pytest.raises(InvalidTokenKeys) as refused:
        add_token_keys(realm=created.realm, url=url)

    assert refused.value.field == "url"


def test_a_url_is_pasted_on_the_page_and_fetched_at_once(
    alice_client: Client, created: CreatedRealm, internet: Internet
) -> None:
    page = f"/realms/{created.realm.pk}/access/"
    missed = alice_client.post(f"{page}keys/add/", {"document": URL}, follow=True)

    assert missed.status_code == 200
    assert b"refuses the connection" in missed.content
    assert TokenKeySet.objects.get().url
