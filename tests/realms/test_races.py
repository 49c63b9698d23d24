"""Two requests at once: limits hold, and a realm is never left without a key."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from accounts.models import User
from fanoutcloud.core.errors import FanoutError
from onboarding.services import mark_subscribed, open_first_realm
from realms.models import ApiKey, Realm
from realms.services import create_realm, issue_api_key, keys, realms, revoke_api_key
from tests.factories import make_realm

pytestmark = pytest.mark.django_db(transaction=True)

CALLERS = 6


def all_at_once(actions: list[Callable[[], object]]) -> list[str]:
    """Run the actions at the same time, each in a thread; return what became of each."""
    start = Barrier(len(actions))

    def run(action: Callable[[], object]) -> str:
        start.wait(10)
        try:
            action()
        except FanoutError as error:
            return error.code
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


def test_the_limit_of_realms_holds(alice: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(realms, "MAX_REALMS_PER_USER", 2)

    outcomes = all_at_once([lambda: create_realm(owner=alice)] * CALLERS)

    assert sorted(outcomes) == ["done"] * 2 + ["realm_limit_reached"] * (CALLERS - 2)


def test_the_limit_of_keys_holds(alice: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keys, "MAX_LIVE_KEYS_PER_REALM", 3)
    realm = make_realm(alice).realm

    outcomes = all_at_once([lambda: issue_api_key(realm=realm, issued_by=alice)] * CALLERS)

    assert sorted(outcomes) == ["done"] * 2 + ["key_limit_reached"] * (CALLERS - 2)


def test_revoking_every_key_at_once_leaves_one(alice: User):
    realm = make_realm(alice).realm
    for _ in range(CALLERS - 1):
        issue_api_key(realm=realm, issued_by=alice)
    key_ids = list(ApiKey.objects.values_list("pk", flat=True))

    outcomes = all_at_once([lambda key_id=key_id: revoke_api_key(realm=realm, key_id=key_id) for key_id in key_ids])

    assert sorted(outcomes) == ["done"] * (CALLERS - 1) + ["last_key"]
    assert ApiKey.objects.live(realm).count() == 1


def test_a_first_realm_is_opened_once(alice: User):
    all_at_once([lambda: open_first_realm(alice)] * CALLERS)

    assert Realm.objects.count() == 1


def test_a_step_is_news_to_one_only(alice: User):
    realm = make_realm(alice).realm
    news: list[bool] = []

    all_at_once([lambda: news.append(mark_subscribed(realm))] * CALLERS)

    assert sorted(news) == [False] * (CALLERS - 1) + [True]
