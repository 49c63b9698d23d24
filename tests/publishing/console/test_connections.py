"""The connection inspector."""

import pytest
from django.apps import apps
from django.test import Client

from accounts.models import User
from fanoutcloud.core.items import Item
from fanoutcloud.core.reads import Whose
from realms.models import Member
from realms.roles import Role
from realms.services import CreatedRealm


def asked() -> list[object]:
    return apps.get_app_config("publishing").plane.reads.asked


def path_of(created: CreatedRealm, rest: str = "") -> str:
    return f"/realms/{created.realm.pk}/connections/{rest}"


def test_connections_are_shown_with_what_is_known_of_them(
    alice_client: Client, created: CreatedRealm, published: list[Item]
):
    page = alice_client.get(path_of(created)).content.decode()

    for text in ("c1", "websocket", "192.0.2.1", "door", "k3v9q1zt:1", "5.1 KB", "1.5 ms", "?user=42", "after=c1"):
        assert text in page
    assert asked() == [(created.realm.pk, (None, None, None, False, None, 100))]


def test_the_filter_is_asked_of_the_edges_and_kept_for_the_next_page(
    alice_client: Client, created: CreatedRealm, published: list[Item]
):
    query = "?channel=a%26b&user=42&transport=sse&behind=on&after=c0"

    page = alice_client.get(path_of(created, query)).content.decode()

    assert asked() == [(created.realm.pk, ("a&b", "42", "sse", True, "c0", 100))]
    assert "channel=a%26b&amp;user=42&amp;transport=sse&amp;behind=True&amp;after=c1" in page


def test_the_list_alone_is_given_to_the_script(alice_client: Client, created: CreatedRealm, published: list[Item]):
    page = alice_client.get(path_of(created, "?part=list")).content.decode()

    assert "c1" in page
    assert "<html" not in page


@pytest.mark.parametrize("query", ["?transport=carrier-pigeon", f"?user={'x' * 300}"])
def test_a_filter_that_can_not_be_is_refused(
    alice_client: Client, created: CreatedRealm, published: list[Item], query: str
):
    answer = alice_client.get(path_of(created, query))

    assert (answer.status_code, asked()) == (422, [])


def test_without_a_delivery_plane_the_page_says_so(alice_client: Client, created: CreatedRealm):
    assert "this process serves pages only" in alice_client.get(path_of(created)).content.decode()


def test_a_connection_is_ended_and_the_filter_stays(alice_client: Client, created: CreatedRealm, published: list[Item]):
    answer = alice_client.post(path_of(created, "end/?user=42"), {"connection": "c1", "may_reconnect": "on"})

    assert answer["Location"] == path_of(created, "?user=42")
    assert asked() == [(created.realm.pk, (Whose(connection="c1"), "", True))]


def test_a_viewer_looks_and_ends_nothing(bob: User, created: CreatedRealm, published: list[Item]):
    Member.objects.create(realm=created.realm, user=bob, role=Role.VIEWER)
    client = Client()
    client.force_login(bob)

    assert "Disconnect" not in client.get(path_of(created)).content.decode()
    assert client.post(path_of(created, "end/"), {"connection": "c1"}).status_code == 403
    assert len(asked()) == 1


def test_charlie_sees_nothing(charlie_client: Client, created: CreatedRealm, published: list[Item]):
    assert charlie_client.get(path_of(created)).status_code == 404
    assert charlie_client.post(path_of(created, "end/"), {"connection": "c1"}).status_code == 404
    assert asked() == []
