"""`…/channel/{channel}/hrq-subscriptions/`: what is stored, whom it refuses, and how."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.http import HttpResponse
from django.test import AsyncRequestFactory

from accounts.models import User
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.names import RealmId
from publishing.authentication import Authenticator
from publishing.compatible.request_subscriptions import change_request_subscriptions
from realms.models import RequestSubscription
from realms.services import CreatedRealm
from realms.services import webhooks as service
from realms.snapshots import find_snapshot
from tests.factories import make_realm
from tests.fakes.activity import RecordingActivity
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory
from tests.publishing.credentials import basic

URL = "https://hooks.acme.com/in?a=1&b=%2F"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def foreign(charlie: User) -> CreatedRealm:
    return make_realm(charlie)


@pytest.fixture(autouse=True)
def plane(created: CreatedRealm, foreign: CreatedRealm, settings: Any) -> Iterator[None]:
    """A delivery plane that knows both realms, of an installation that others reach."""
    settings.PUBLIC_URL = "https://cloud.example.com"
    settings.ALLOWED_TARGETS = settings.DENIED_TARGETS = ()
    clock = SteppedClock()
    snapshots = [find_snapshot(RealmId(one.realm.pk)) for one in (created, foreign)]
    authenticator = Authenticator(FakeDirectory(*filter(None, snapshots)), clock)
    config = apps.get_app_config("publishing")
    config.plane = SimpleNamespace(
        flight=FlightRecorder(clock),
        authenticator=authenticator,
        activity=RecordingActivity(RealmId(created.realm.pk)),
        clock=clock,
    )
    yield
    config.plane = None


class Caller:
    """Somebody with a key of a realm."""

    def __init__(self, created: CreatedRealm) -> None:
        self.realm = created.realm.pk
        self.headers = {"Authorization": basic(created.realm.pk, created.secret).decode()}

    async def add(self, channel: str = "orders", url: str = URL, **form: str) -> HttpResponse:
        path = f"/realm/{self.realm}/channel/{channel}/hrq-subscriptions/"
        return await self._send("POST", path, {"url": url} | form)

    async def remove(self, channel: str = "orders", url: str = URL) -> HttpResponse:
        return await self._send(
            "DELETE", f"/realm/{self.realm}/channel/{channel}/hrq-subscription/{quote(url, safe='')}/"
        )

    async def _send(self, method: str, path: str, form: dict[str, str] | None = None) -> HttpResponse:
        factory = AsyncRequestFactory()
        if form is None:
            request = factory.delete(path, headers=self.headers)
        else:
            request = factory.post(path, form, headers=self.headers)
        request.scope["raw_path"] = path.encode()  # as servers have it
        return await change_request_subscriptions(request, self.realm)


@pytest.fixture
def caller(created: CreatedRealm) -> Caller:
    return Caller(created)


async def alist() -> list[tuple[str, str, str]]:
    return sorted([row async for row in RequestSubscription.objects.values_list("realm_id", "channel", "url")])


async def test_a_url_is_kept_once_and_the_answer_is_200(caller: Caller) -> None:
    first, again = await caller.add(), await caller.add()

    assert (first.status_code, again.status_code) == (200, 200)
    assert await alist() == [(caller.realm, "orders", URL)]


@pytest.mark.parametrize("channel", ["room%2F7", "room/7"])
async def test_a_channel_may_hold_a_slash_escaped_or_not(caller: Caller, channel: str) -> None:
    await caller.add(channel)

    assert (await alist())[0][1] == "room/7"
    assert (await caller.remove(channel)).status_code == 200
    assert await alist() == []


async def test_a_url_is_removed_by_its_escaped_text(caller: Caller) -> None:
    await caller.add()
    await caller.add(url="https://other.acme.com/")

    assert (await caller.remove()).status_code == 200
    assert (await caller.remove()).status_code == 404
    assert [url for *_, url in await alist()] == ["https://other.acme.com/"]


async def test_realms_do_not_meet(caller: Caller, foreign: CreatedRealm) -> None:
    await caller.add()

    assert (await Caller(foreign).remove()).status_code == 404
    stranger = Caller(foreign)
    stranger.realm = caller.realm
    assert (await stranger.add()).status_code == 403
    assert len(await alist()) == 1


async def test_without_a_key_nothing_is_done(caller: Caller) -> None:
    caller.headers = {}

    assert (await caller.add()).status_code == 401
    assert await alist() == []


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks", "ftp://acme.com/", "http://127.0.0.1/", "http://localhost/", "http://10.0.0.1/", "http://[::1]/",
        "http://169.254.169.254/latest/", "http://2130706433/", "https://user:x@acme.com/", "https://cloud.example.com/",
        "http://printer/", "https://acme.com/\x00", "https://acme.com/" + "a" * 2100,
    ],
)  # fmt: skip
async def test_what_may_not_be_called_is_refused_with_its_field(caller: Caller, url: str) -> None:
    answer = await caller.add(url=url)

    assert answer.status_code == 400
    assert answer.content.startswith(b"url: ")
    assert await alist() == []


async def test_other_methods_and_paths_are_refused(caller: Caller) -> None:
    base = f"/realm/{caller.realm}/channel/orders"

    assert (await caller._send("POST", f"{base}/hrq-subscription/x/", {"url": URL})).status_code == 405
    assert (await caller._send("DELETE", f"{base}/hrq-subscriptions/")).status_code == 405
    assert (await caller._send("POST", f"{base}/other/", {"url": URL})).status_code == 404


async def test_urls_are_limited(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_URLS_PER_CHANNEL", 1)
    await caller.add()

    answer = await caller.add(url="https://other.acme.com/")

    assert answer.status_code in (403, 409, 429)
    assert b"limit" in answer.content
