"""The XMPP page of a realm."""

from django.test import Client

from realms.models import XmppAdmin, XmppReceiverChannel
from realms.services import CreatedRealm, add_xmpp_admin, add_xmpp_receiver


def test_the_page_tells_the_realms_addresses(alice_client: Client, created: CreatedRealm) -> None:
    page = alice_client.get(f"/realms/{created.realm.pk}/xmpp/").content.decode()

    assert f"admin-{created.realm.pk}@api." in page
    assert f"/{created.realm.pk}/hello" in page
    assert "Nobody yet." in page


def test_an_address_is_added_and_removed(alice_client: Client, created: CreatedRealm) -> None:
    address = f"/realms/{created.realm.pk}/xmpp/admins/"
    added = alice_client.post(f"{address}add/", {"address": "Ops@example.org"}, follow=True)
    row = XmppAdmin.objects.get(realm=created.realm)
    removed = alice_client.post(f"{address}{row.pk}/remove/", follow=True)

    assert "ops@example.org may administer this realm." in added.content.decode()
    assert "Nobody yet." in removed.content.decode()


def test_what_is_no_address_is_said_beside_the_field(alice_client: Client, created: CreatedRealm) -> None:
    answer = alice_client.post(f"/realms/{created.realm.pk}/xmpp/admins/add/", {"address": "a b@c"})

    assert answer.status_code == 422
    assert "may not be there" in answer.content.decode()
    assert not XmppAdmin.objects.exists()


def test_stanzas_are_allowed_with_a_tick(alice_client: Client, created: CreatedRealm) -> None:
    alice_client.post(f"/realms/{created.realm.pk}/xmpp/stanzas/", {"sends_stanzas": "on"})
    created.realm.refresh_from_db()

    assert created.realm.sends_stanzas


def test_charlie_finds_nothing(charlie_client: Client, created: CreatedRealm) -> None:
    row = add_xmpp_admin(realm=created.realm, address="ops@example.org")
    address = f"/realms/{created.realm.pk}/xmpp/"
    answers = [
        charlie_client.get(address),
        charlie_client.post(f"{address}admins/add/", {"address": "charlie@example.org"}),
        charlie_client.post(f"{address}admins/{row.pk}/remove/"),
        charlie_client.post(f"{address}stanzas/"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert XmppAdmin.objects.count() == 1


def test_a_subscriber_is_added_and_removed(alice_client: Client, created: CreatedRealm) -> None:
    address = f"/realms/{created.realm.pk}/xmpp/subscribers/"
    added = alice_client.post(f"{address}add/", {"channel": "door", "address": "Ops@example.org"}, follow=True)
    row = XmppReceiverChannel.objects.get(receiver__realm=created.realm)
    removed = alice_client.post(f"{address}{row.pk}/remove/", follow=True)

    assert "ops@example.org is asked whether it wants the stanzas of door." in added.content.decode()
    assert "Nobody was added." in removed.content.decode()


def test_what_can_be_no_subscriber_is_said_beside_the_field(alice_client: Client, created: CreatedRealm) -> None:
    address = f"/realms/{created.realm.pk}/xmpp/subscribers/add/"
    answers = [
        alice_client.post(address, {"channel": "door", "address": "example.org"}),
        alice_client.post(address, {"channel": "a\x01b", "address": "ops@example.org"}),
        alice_client.post(address, {}),
    ]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert "It names a server, and nobody there." in answers[0].content.decode()
    assert not XmppReceiverChannel.objects.exists()


def test_charlie_adds_and_removes_no_subscriber(charlie_client: Client, created: CreatedRealm) -> None:
    row = add_xmpp_receiver(realm=created.realm, channel="door", address="ops@example.org")
    address = f"/realms/{created.realm.pk}/xmpp/subscribers/"
    answers = [
        charlie_client.post(f"{address}add/", {"channel": "door", "address": "charlie@example.org"}),
        charlie_client.post(f"{address}{row.pk}/remove/"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 2
    assert XmppReceiverChannel.objects.count() == 1


def test_a_url_is_set_and_a_wrong_one_said_beside_the_field(alice_client: Client, created: CreatedRealm) -> None:
    address = f"/realms/{created.realm.pk}/xmpp/url/"
    alice_client.post(address, {"url": "https://app.example.org/xmpp"})
    wrong = alice_client.post(address, {"url": "ftp://example.org/"})
    created.realm.refresh_from_db()

    assert created.realm.stanza_url == "https://app.example.org/xmpp"
    assert wrong.status_code == 422
    assert "is called" in wrong.content.decode()
