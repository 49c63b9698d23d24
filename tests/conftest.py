"""What all tests share: the cast, the servers, the database."""

from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import Client
from hypothesis import settings as hypothesis_settings

from accounts.models import User
from realms.services import CreatedRealm
from tests.factories import make_realm, make_user
from tests.servers.postgres import PostgresServer, postgres_server
from tests.servers.redis import redis_server, redis_url, valkey_url

__all__ = ["postgres_server", "redis_server", "redis_url", "valkey_url"]

_FOLDER = Path(__file__).parent

# How long one example takes says something of the machine's other work, and nothing of the product.
hypothesis_settings.register_profile("ours", deadline=None)
hypothesis_settings.load_profile("ours")


#: Folders of nothing but load, kills and deploys of whole installations: `make test-slow`.
SLOW_FOLDERS = {"compare", "load", "prove", "takeover"}
#: What takes seconds to start; files that ask for one of these come first.
SLOW_FIXTURES = {"chromium", "installation", "product", "ruled", "site", "xmpp_site"}


@pytest.hookimpl(trylast=True)  # chance has had its way with the order by then
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that take long first, so that no worker has one of them left when the others have nothing.

    Those of a folder follow each other: what they share runs no longer than they do.
    """
    for item in items:
        if item.path.relative_to(_FOLDER).parts[0] in SLOW_FOLDERS:
            item.add_marker("slow")
    long = {item.path for item in items if item.get_closest_marker("slow") or SLOW_FIXTURES & set(_fixtures(item))}
    places: dict[Path, int] = {}
    for item in items:
        places.setdefault(item.path.parent, len(places))
    items.sort(key=lambda item: (item.path not in long, places[item.path.parent]))


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres_server: PostgresServer) -> None:
    """Give the tests that ask for a database a real PostgreSQL, started for the first of them."""
    databases = connections.configure_settings({"default": postgres_server.django_settings})
    settings.DATABASES["default"] = connections.settings["default"] = databases["default"]
    with suppress(AttributeError):  # nobody has looked at the SQLite of the settings yet
        del connections["default"]


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Leave the test database to go with its server: dropping it fails while a server thread is still connected."""
    return True


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Let no test see another's rate limits."""
    cache.clear()


@pytest.fixture
def alice(db: None) -> User:
    """She owns the realm."""
    return make_user("alice@example.com")


@pytest.fixture
def bob(db: None) -> User:
    """He is on her team."""
    return make_user("bob@example.com")


@pytest.fixture
def charlie(db: None) -> User:
    """He must see nothing."""
    return make_user("charlie@example.com")


@pytest.fixture
def created(alice: User) -> CreatedRealm:
    """Alice's realm, with its first key and the secret of it."""
    return make_realm(alice)


@pytest.fixture
def alice_client(alice: User) -> Client:
    """A browser that Alice is signed in with."""
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def charlie_client(charlie: User) -> Client:
    """A browser that Charlie is signed in with."""
    client = Client()
    client.force_login(charlie)
    return client
