"""Who is on a channel, by program."""

from django.apps import apps

from fanoutcloud.core.items import Item
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller


def test_presence_is_read(alices_caller: Caller, created: CreatedRealm, published: list[Item]):
    answer = alices_caller.get(f"realms/{created.realm.pk}/presence?channel=door&limit=2&cursor=41")

    assert answer.json() == {
        "items": [{"user": "42", "info": {"name": "Ann"}}, {"user": "43"}],
        "next": "43", "count": 3, "anonymous": 1, "connections": 5,
    }  # fmt: skip
    asked = apps.get_app_config("publishing").plane.reads.asked
    assert asked == [(created.realm.pk, ("door", "41", 2))]


def test_a_channel_is_to_be_named(alices_caller: Caller, created: CreatedRealm, published: list[Item]):
    answer = alices_caller.get(f"realms/{created.realm.pk}/presence")

    assert (answer.status_code, answer.json()["field"]) == (400, "channel")
