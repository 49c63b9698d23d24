"""Sending an item again from the console."""

import pytest
from django.test import Client

from accounts.models import User
from fanoutcloud.core.items import Item
from realms.models import Member
from realms.roles import Role
from realms.services import CreatedRealm


def path_of(created: CreatedRealm, rest: str) -> str:
    return f"/realms/{created.realm.pk}/console/{rest}"


def test_the_whole_item_is_there_to_edit(alice_client: Client, created: CreatedRealm, published: list[Item]):
    page = alice_client.get(path_of(created, "item/?channel=door&position=k3v9q1zt:1")).content.decode()

    assert "&quot;open&quot;: true" in page
    assert "notice" not in page


@pytest.mark.parametrize("position", ["k3v9q1zt:9", "nonsense"])
def test_what_is_not_kept_is_said(alice_client: Client, created: CreatedRealm, published: list[Item], position: str):
    answer = alice_client.get(path_of(created, f"item/?channel=door&position={position}"))

    assert answer.status_code == 200
    assert "notice-error" in answer.content.decode()


def test_an_edited_copy_is_published(alice_client: Client, created: CreatedRealm, published: list[Item]):
    item = '{"channel": "door", "formats": {"json-object": {"open": false}}}'

    answer = alice_client.post(path_of(created, "publish/"), {"item": item})

    assert answer.status_code == 200
    assert "in &quot;door&quot; at " in answer.content.decode()
    assert [(one.channel, one.json_object) for one in published] == [("door", b'{"open": false}')]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"channel":"door"}', '{"channel":"a"},{"channel":"b"}', "1]}"])
def test_what_is_no_item_comes_back_with_the_place_of_the_fault(
    alice_client: Client, created: CreatedRealm, published: list[Item], text: str
):
    answer = alice_client.post(path_of(created, "publish/"), {"item": text})

    assert answer.status_code in (400, 422)
    assert "notice-error" in answer.content.decode()
    assert published == []


def test_neither_a_viewer_nor_charlie_publishes(
    bob: User, charlie_client: Client, created: CreatedRealm, published: list[Item]
):
    Member.objects.create(realm=created.realm, user=bob, role=Role.VIEWER)
    viewer = Client()
    viewer.force_login(bob)
    item = {"item": '{"channel":"door","json-object":1}'}

    assert viewer.post(path_of(created, "publish/"), item).status_code == 403
    assert charlie_client.post(path_of(created, "publish/"), item).status_code == 404
    assert charlie_client.get(path_of(created, "item/")).status_code == 404
    assert published == []
