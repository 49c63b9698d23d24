"""The pages of realms: what each shows, changes and refuses, and that Charlie sees none of it."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from realms.models import MAX_LABEL_CHARACTERS, ApiKey, Realm
from realms.services import CreatedRealm, issue_api_key
from tests.factories import make_realm

HTMX = {"HX-Request": "true"}


def text_of(response) -> str:
    return response.content.decode()


def endpoints(created: CreatedRealm) -> list[tuple[str, str]]:
    realm, key = created.realm.pk, created.key.pk
    return [
        ("get", reverse("realms:detail", args=[realm])),
        ("get", reverse("realms:console", args=[realm])),
        ("get", reverse("realms:delete", args=[realm])),
        ("post", reverse("realms:delete", args=[realm])),
        ("post", reverse("realms:label", args=[realm])),
        ("post", reverse("realms:key_add", args=[realm])),
        ("post", reverse("realms:key_reveal", args=[realm, key])),
        ("post", reverse("realms:key_revoke", args=[realm, key])),
    ]


# -- who gets in ----------------


def test_every_page_is_missing_for_charlie_and_changes_nothing(charlie_client: Client, created: CreatedRealm):
    issue_api_key(realm=created.realm, issued_by=created.realm.owner)

    for method, url in endpoints(created):
        response = getattr(charlie_client, method)(url, {"confirmation": created.realm.pk, "label": "mine now"})
        assert response.status_code == 404, url
        assert created.secret not in text_of(response)

    realm = Realm.objects.get(pk=created.realm.pk)
    assert realm.label == ""
    assert ApiKey.objects.live(realm).count() == 2


def test_a_foreign_realm_looks_like_a_missing_one(charlie_client: Client, created: CreatedRealm):
    foreign = charlie_client.get(reverse("realms:detail", args=[created.realm.pk]))
    missing = charlie_client.get(reverse("realms:detail", args=["00000000"]))

    assert foreign.status_code == missing.status_code == 404
    token = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
    assert token.sub("", text_of(foreign)) == token.sub("", text_of(missing))


def test_strangers_are_sent_to_sign_in(client: Client, created: CreatedRealm):
    for method, url in [*endpoints(created), ("get", reverse("realms:list")), ("post", reverse("realms:add"))]:
        response = getattr(client, method)(url)
        assert response.status_code == 302, url
        assert response.headers["Location"].startswith(reverse("account_login"))


def test_a_key_of_another_realm_is_not_reached_through_ones_own(
    charlie_client: Client, charlie: User, created: CreatedRealm
):
    own = make_realm(charlie)
    issue_api_key(realm=own.realm, issued_by=charlie)

    for name in ("realms:key_reveal", "realms:key_revoke"):
        response = charlie_client.post(reverse(name, args=[own.realm.pk, created.key.pk]))
        assert response.status_code == 404

    assert ApiKey.objects.live(created.realm).count() == 1


@pytest.mark.parametrize("name", ["realms:label", "realms:key_add"])
def test_changes_are_not_made_by_get(alice_client: Client, created: CreatedRealm, name: str):
    assert alice_client.get(reverse(name, args=[created.realm.pk])).status_code == 405


def test_a_post_without_the_csrf_token_is_refused(alice: User, created: CreatedRealm):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)

    response = strict.post(reverse("realms:delete", args=[created.realm.pk]), {"confirmation": created.realm.pk})

    assert response.status_code == 403
    assert "This form was no longer valid" in text_of(response)
    assert Realm.objects.filter(pk=created.realm.pk).exists()


def test_pages_are_not_kept_by_caches(alice_client: Client, created: CreatedRealm):
    for method, url in endpoints(created):
        if method == "get":
            assert "no-store" in alice_client.get(url).headers["Cache-Control"]


# -- the list ----------------


def test_the_list_shows_ones_own_realms_only(alice_client: Client, alice: User, charlie: User, created: CreatedRealm):
    theirs = make_realm(charlie, label="not hers")
    labelled = make_realm(alice, label="staging <b>")

    page = text_of(alice_client.get(reverse("realms:list")))

    assert created.realm.pk in page
    assert "staging &lt;b&gt;" in page
    assert labelled.realm.pk in page
    assert theirs.realm.pk not in page


def test_an_empty_list_says_what_to_do(alice_client: Client):
    assert "No realm yet" in text_of(alice_client.get(reverse("realms:list")))


def test_adding_a_realm_leads_to_its_quick_start(alice_client: Client, alice: User):
    response = alice_client.post(reverse("realms:add"), {"label": " production "})

    realm = Realm.objects.get(owner=alice)
    assert realm.label == "production"
    assert response.headers["Location"] == reverse("onboarding:quick_start", args=[realm.pk])


@pytest.mark.parametrize(
    ("label", "words"),
    [("x" * (MAX_LABEL_CHARACTERS + 1), "80 characters or fewer"), ("a\x07b", "control character"), ("a\0b", "Null")],
)
def test_a_bad_label_adds_nothing(alice_client: Client, label: str, words: str):
    response = alice_client.post(reverse("realms:add"), {"label": label})

    assert response.status_code == 422
    assert words in text_of(response)
    assert not Realm.objects.exists()


# -- one realm ----------------


def test_a_realm_shows_its_addresses_but_no_secret(alice_client: Client, created: CreatedRealm):
    page = text_of(alice_client.get(reverse("realms:detail", args=[created.realm.pk])))

    for address in (f"/r/{created.realm.pk}", f"http://{created.realm.pk}.localhost", f"/realm/{created.realm.pk}"):
        assert address in page
    assert f"…{created.key.hint}" in page
    assert created.secret not in page


def test_the_label_is_changed_where_it_stands(alice_client: Client, created: CreatedRealm):
    url = reverse("realms:label", args=[created.realm.pk])

    response = alice_client.post(url, {"label": "staging"}, headers=HTMX)

    created.realm.refresh_from_db()
    assert created.realm.label == "staging"
    assert "Saved." in text_of(response)
    assert "<html" not in text_of(response)


def test_the_label_is_changed_without_a_script_too(alice_client: Client, created: CreatedRealm):
    url = reverse("realms:label", args=[created.realm.pk])

    response = alice_client.post(url, {"label": "staging"}, follow=True)

    assert "The label is saved." in text_of(response)


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("label", ["x" * 81, "bell\x07"])
def test_a_bad_label_is_refused_and_the_old_one_stays(
    alice_client: Client, alice: User, label: str, headers: dict[str, str]
):
    realm = make_realm(alice, label="before").realm

    response = alice_client.post(reverse("realms:label", args=[realm.pk]), {"label": label}, headers=headers)

    assert response.status_code == 422
    assert "field-error" in text_of(response)
    realm.refresh_from_db()
    assert realm.label == "before"


# -- deleting ----------------


def test_a_realm_is_deleted_when_its_id_is_typed(alice_client: Client, created: CreatedRealm):
    url = reverse("realms:delete", args=[created.realm.pk])

    response = alice_client.post(url, {"confirmation": created.realm.pk}, follow=True)

    assert f"The realm {created.realm.pk} is deleted." in text_of(response)
    assert not Realm.objects.exists()


@pytest.mark.parametrize("confirmation", ["", "00000000", "yes"])
def test_a_wrong_confirmation_deletes_nothing(alice_client: Client, created: CreatedRealm, confirmation: str):
    response = alice_client.post(reverse("realms:delete", args=[created.realm.pk]), {"confirmation": confirmation})

    assert response.status_code == 422
    assert 'aria-invalid="true"' in text_of(response)
    assert Realm.objects.filter(pk=created.realm.pk).exists()
