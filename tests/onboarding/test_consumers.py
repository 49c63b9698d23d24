"""The live feed: who may watch, what they are told, and what happens to a browser that does not keep up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import path

from accounts.models import User
from fanoutcloud.broker.activity import ActivityFeed
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.activity import Connected, Delivered, Event, PassedOn, Published, Refused
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from onboarding import consumers
from onboarding.consumers import LiveConsumer
from onboarding.models import QuickStartProgress
from onboarding.services import mark_subscribed
from realms.models import Realm
from realms.services import CreatedRealm, delete_realm

pytestmark = pytest.mark.django_db(transaction=True)

CONNECTED = Connected(at=1.0, connection="9f3a", transport="websocket", channels=["hello"], address="127.0.0.1")
PUBLISHED = Published(
    at=1.0, channel="hello", position="e:1", id=None, size_bytes=4, formats=["json-object"], preview="{}",
    via="rest", key="…abcd", outcome="stored",
)  # fmt: skip
DELIVERED = Delivered(at=1.0, channel="hello", position="e:1", subscribers=1, by_transport={"websocket": 1})
PASSED_ON = PassedOn(
    at=1.0, origin="localhost:3000", method="GET", path="/hello", status=200, wait_s=0.01, address="127.0.0.1"
)
REFUSED = Refused(at=1.0, status=401, code="wrong_key", message="no", cure="yes", field=None, address="127.0.0.1")
PATIENCE_S = 15.0


def cookie_of(user: User) -> bytes:
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()


@pytest.fixture
async def feed() -> AsyncIterator[ActivityFeed]:
    clock = SystemClock()
    feed = ActivityFeed(MemoryBroker(clock), clock)
    running = asyncio.get_running_loop().create_task(feed.run())
    yield feed
    running.cancel()
    await asyncio.wait([running])


def browser(
    feed: Any, realm: str, cookie: bytes | None, *, keep_alive_s: float = consumers.KEEP_ALIVE_S
) -> WebsocketCommunicator:
    consumer = LiveConsumer.as_asgi(activity=feed, keep_alive_s=keep_alive_s)
    app = AuthMiddlewareStack(URLRouter([path("live/<str:realm>/", consumer)]))
    headers = [(b"cookie", cookie)] if cookie else []
    return WebsocketCommunicator(app, f"/live/{realm}/", headers=headers)


@asynccontextmanager
async def watching(
    feed: Any, realm: Realm, cookie: bytes, **options: Any
) -> AsyncIterator[tuple[WebsocketCommunicator, dict[str, Any]]]:
    """A browser that has been let in and has read the first message, which is given along."""
    is_watched = asyncio.Event()
    feed.on_watch(lambda _: is_watched.set())
    page = browser(feed, realm.pk, cookie, **options)
    connected, _ = await page.connect(timeout=PATIENCE_S)
    assert connected
    first = await next_event(page)
    async with asyncio.timeout(PATIENCE_S):
        await is_watched.wait()
    yield page, first
    await page.disconnect(timeout=PATIENCE_S)


async def next_event(page: WebsocketCommunicator) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await page.receive_from(timeout=PATIENCE_S))
    return event


async def closed_with(page: WebsocketCommunicator) -> int:
    message = await page.receive_output(timeout=PATIENCE_S)
    assert message["type"] == "websocket.close"
    code: int = message["code"]
    return code


# -- who may watch ----------------


async def test_the_owner_is_told_how_far_the_quick_start_is(feed: ActivityFeed, created: CreatedRealm, alice: User):
    await sync_to_async(mark_subscribed)(created.realm)

    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (_, first):
        assert first["kind"] == "watching"
        others = {"published": False, "delivered": False, "passed_on": False, "held": False, "pushed": False}
        assert first["progress"] == {"subscribed": True} | others


async def test_charlie_is_turned_away(feed: ActivityFeed, created: CreatedRealm, charlie: User):
    page = browser(feed, created.realm.pk, await sync_to_async(cookie_of)(charlie))

    assert await page.connect(timeout=PATIENCE_S) == (False, consumers.NOT_FOUND)


async def test_a_missing_realm_looks_like_a_foreign_one(feed: ActivityFeed, alice: User):
    page = browser(feed, "00000000", await sync_to_async(cookie_of)(alice))

    assert await page.connect(timeout=PATIENCE_S) == (False, consumers.NOT_FOUND)


async def test_strangers_are_turned_away(feed: ActivityFeed, created: CreatedRealm):
    page = browser(feed, created.realm.pk, None)

    assert await page.connect(timeout=PATIENCE_S) == (False, consumers.NOT_FOUND)


async def test_signing_out_ends_the_feed(feed: ActivityFeed, created: CreatedRealm, alice: User):
    cookie = await sync_to_async(cookie_of)(alice)

    async with watching(feed, created.realm, cookie, keep_alive_s=0.05) as (page, _):
        await sync_to_async(end_sessions)()
        while (message := await page.receive_output(timeout=PATIENCE_S))["type"] == "websocket.send":
            assert json.loads(message["text"]) == {"kind": "keep-alive"}

    assert message["code"] == consumers.NOT_FOUND


async def test_deleting_the_realm_ends_the_feed(feed: ActivityFeed, created: CreatedRealm, alice: User):
    cookie = await sync_to_async(cookie_of)(alice)

    async with watching(feed, created.realm, cookie, keep_alive_s=0.05) as (page, _):
        await sync_to_async(delete_realm)(realm=created.realm)
        while (message := await page.receive_output(timeout=PATIENCE_S))["type"] == "websocket.send":
            pass

    assert message["code"] == consumers.NOT_FOUND


# -- what is told ----------------


@pytest.mark.parametrize("event", [CONNECTED, PUBLISHED, DELIVERED, REFUSED], ids=lambda event: type(event).__name__)
async def test_events_are_told_as_they_are(feed: ActivityFeed, created: CreatedRealm, alice: User, event: Event):
    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        feed.record(RealmId(created.realm.pk), event)

        assert await next_event(page) == msgspec.to_builtins(event)


async def test_events_of_other_realms_are_not_told(feed: ActivityFeed, created: CreatedRealm, alice: User):
    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        feed.record(RealmId("11111111"), PUBLISHED)
        feed.record(RealmId(created.realm.pk), REFUSED)

        assert (await next_event(page))["kind"] == "refused"


async def test_steps_are_stored_before_they_are_told(feed: ActivityFeed, created: CreatedRealm, alice: User):
    seen = [(CONNECTED, "subscribed_at"), (PUBLISHED, "published_at"), (DELIVERED, "delivered_at")]

    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        for event, column in seen:
            feed.record(RealmId(created.realm.pk), event)
            await next_event(page)

            progress = await QuickStartProgress.objects.aget(realm=created.realm)
            assert getattr(progress, column) is not None


async def test_what_an_application_has_held_and_pushed_to_are_steps_of_their_own(
    feed: ActivityFeed, created: CreatedRealm, alice: User
):
    seen: list[tuple[Event, str]] = [
        (PASSED_ON, "passed_on_at"),
        (msgspec.structs.replace(CONNECTED, transport="hold-stream"), "held_at"),
        (msgspec.structs.replace(DELIVERED, by_transport={"sse": 1, "hold-websocket": 2}), "pushed_at"),
    ]

    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        for event, column in seen:
            feed.record(RealmId(created.realm.pk), event)
            await next_event(page)

            progress = await QuickStartProgress.objects.aget(realm=created.realm)
            assert getattr(progress, column) is not None


async def test_a_refusal_is_no_step(feed: ActivityFeed, created: CreatedRealm, alice: User):
    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        feed.record(RealmId(created.realm.pk), REFUSED)
        await next_event(page)

    assert not await QuickStartProgress.objects.filter(realm=created.realm).aexists()


async def test_silence_is_filled_with_keep_alives(feed: ActivityFeed, created: CreatedRealm, alice: User):
    cookie = await sync_to_async(cookie_of)(alice)

    async with watching(feed, created.realm, cookie, keep_alive_s=0.05) as (page, _):
        assert await next_event(page) == {"kind": "keep-alive"}
        assert await next_event(page) == {"kind": "keep-alive"}


async def test_what_the_browser_says_is_ignored(feed: ActivityFeed, created: CreatedRealm, alice: User):
    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        await page.send_to(text_data='{"kind":"published"')
        await page.send_to(bytes_data=b"\xff\xfe")
        feed.record(RealmId(created.realm.pk), REFUSED)

        assert (await next_event(page))["kind"] == "refused"


# -- when something is slow or gone ----------------


class HandFeed:
    """A feed that passes on what a test gives it, all at once."""

    def __init__(self) -> None:
        self.callback: Any = None
        self._hook: Any = None

    def on_watch(self, hook: Any) -> None:
        self._hook = hook

    @asynccontextmanager
    async def watch(self, realm: RealmId, callback: Any, wants: Any) -> AsyncIterator[None]:
        self.callback = callback
        self._hook(realm)
        yield


class FeedThatIsDown:
    """What `watch` does when the broker can't be reached."""

    @asynccontextmanager
    async def watch(self, realm: RealmId, callback: Any, wants: Any) -> AsyncIterator[None]:
        raise Unavailable("the broker does not answer")
        yield


async def test_a_browser_that_does_not_keep_up_is_told_how_much_it_missed(
    created: CreatedRealm, alice: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(consumers, "MAX_WAITING_EVENTS", 3)
    feed = HandFeed()

    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        for _ in range(10):
            feed.callback(msgspec.json.encode(REFUSED))
        events = [await next_event(page) for _ in range(4)]

    assert sum(event["kind"] == "refused" for event in events) == 3
    assert [event["dropped"] for event in events if event["kind"] == "sampled"] == [7]


async def test_a_step_counts_even_when_its_event_is_left_out(
    created: CreatedRealm, alice: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(consumers, "MAX_WAITING_EVENTS", 1)
    feed = HandFeed()

    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        feed.callback(msgspec.json.encode(REFUSED))
        feed.callback(msgspec.json.encode(DELIVERED))
        await next_event(page)

    progress = await QuickStartProgress.objects.aget(realm=created.realm)
    assert progress.delivered_at is not None


async def test_a_browser_is_asked_to_come_back_when_the_broker_is_away(created: CreatedRealm, alice: User):
    page = browser(FeedThatIsDown(), created.realm.pk, await sync_to_async(cookie_of)(alice))
    assert (await page.connect(timeout=PATIENCE_S))[0]
    assert (await next_event(page))["kind"] == "watching"

    assert await closed_with(page) == consumers.TRY_AGAIN_LATER


def end_sessions() -> None:
    Session.objects.all().delete()


async def test_a_browser_is_shown_only_what_it_asks_for(feed: ActivityFeed, created: CreatedRealm, alice: User):
    realm = RealmId(created.realm.pk)
    async with watching(feed, created.realm, await sync_to_async(cookie_of)(alice)) as (page, _):
        await page.send_to(text_data="no filter")
        await page.send_to(text_data='{"user":"42"}')
        async with asyncio.timeout(PATIENCE_S):
            while feed._watched[realm].wants_everything:  # noqa: ASYNC110 - the next turns of the loop
                await asyncio.sleep(0)
        feed.record(realm, CONNECTED)
        feed.record(realm, msgspec.structs.replace(CONNECTED, user="42"))

        assert (await next_event(page))["user"] == "42"
