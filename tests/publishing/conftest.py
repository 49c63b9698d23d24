"""Callers of the management API."""

from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps

from accounts.models import User
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.items import Item
from realms.snapshots import find_snapshot
from tests.publishing.api.callers import Caller, caller_for
from tests.publishing.api.reads import FakeReads


@pytest.fixture
def nobody(db: None) -> Caller:
    return Caller()


@pytest.fixture
def alices_caller(alice: User) -> Caller:
    return caller_for(alice)


@pytest.fixture
def charlies_caller(charlie: User) -> Caller:
    return caller_for(charlie)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    """A plane that stores items in memory; return those that it was given."""
    broker, seen = MemoryBroker(SystemClock()), []

    class Publisher:
        async def publish_items(self, realm, items, *, via, key_hint=None):
            seen.extend(items)
            assert via == "page" or (via, bool(key_hint)) == ("api", True)
            return await broker.publish(realm.realm, items, retention=realm.retention)

    class Directory:
        async def find_realm(self, realm):
            return await sync_to_async(find_snapshot)(realm)

    class Door:
        def run(self, work):
            async def wait():
                return await work

            return async_to_sync(wait)()

    plane = SimpleNamespace(publisher=Publisher(), directory=Directory(), reads=FakeReads(broker), door=Door())
    monkeypatch.setattr(apps.get_app_config("publishing"), "plane", plane)
    return seen
