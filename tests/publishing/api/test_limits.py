"""What a realm may use, by program."""

from pytest_django.fixtures import Settings

from realms.services import CreatedRealm, set_limits
from tests.publishing.api.callers import Caller


def test_limits_in_force_are_told(alices_caller: Caller, created: CreatedRealm, settings: Settings):
    settings.REALM_CONNECTIONS = 1000
    set_limits(realm=created.realm, document={"publish_items_per_s": 50, "channels": 0})

    answer = alices_caller.get(f"realms/{created.realm.pk}/limits").json()

    assert (answer["connections"], answer["channels"]) == (1000, None)
    assert (answer["publish_items_per_s"], answer["publish_items_burst"]) == (50, 100)
    assert answer["own"] == ["channels", "publish_items_per_s"]


def test_nobody_changes_them_here(alices_caller: Caller, created: CreatedRealm):
    answer = alices_caller.patch(f"realms/{created.realm.pk}/limits", {"connections": 10**6})

    assert answer.status_code == 405
