"""The page for those who want to notify their team."""

from django.test import Client

from realms.services import CreatedRealm


def test_it_shows_the_key_to_the_owner_and_to_no_cache(alice_client: Client, created: CreatedRealm):
    response = alice_client.get(f"/realms/{created.realm.pk}/start/notify/")

    page = response.content.decode()
    assert f"/s/{created.realm.pk}/alerts/" in page
    assert created.secret in page
    assert "no-store" in response["Cache-Control"]


def test_it_is_missing_for_charlie(charlie_client: Client, created: CreatedRealm):
    assert charlie_client.get(f"/realms/{created.realm.pk}/start/notify/").status_code == 404
