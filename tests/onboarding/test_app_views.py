"""The quick start for web applications: an origin is entered, the examples are ready, steps come from what was seen."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from fanoutcloud.core.domains import Domain, Origin
from fanoutcloud.core.names import RealmId
from onboarding.services import QuickStartStep, mark_step
from realms.models import Member
from realms.roles import Role
from realms.services import CreatedRealm, set_up_domain
from realms.snapshots import find_snapshot


def url_of(created: CreatedRealm, page: str = "app_start") -> str:
    return reverse(f"onboarding:{page}", args=[created.realm.pk])


def built_in(created: CreatedRealm) -> Domain:
    snapshot = find_snapshot(RealmId(created.realm.pk))
    assert snapshot is not None
    return snapshot.domains[0]


def text_of(response) -> str:
    return response.content.decode()


def test_the_page_has_everything_ready_to_copy(alice_client: Client, created: CreatedRealm):
    page = text_of(alice_client.get(url_of(created)))

    for words in ("Django", "Flask", "Express", "Laravel", "Rails", "set_hold_stream", "Grip-Hold"):
        assert words in page
    assert f"/r/{created.realm.pk}/hello" in page
    assert f"iss={created.realm.pk}&amp;key=base64:" in page
    assert reverse("onboarding:quick_start", args=[created.realm.pk]) in page
    assert "Not in use yet" in page


def test_an_origin_is_used_and_other_settings_stay(alice_client: Client, created: CreatedRealm):
    set_up_domain(realm=created.realm, name="", domain=Domain(has_json_p=True))

    response = alice_client.post(url_of(created, "app_origin"), {"origin": " https://app.acme.com "}, follow=True)

    assert built_in(created) == Domain(origins=(Origin("app.acme.com", 443, is_tls=True),), has_json_p=True)
    assert "passed on to https://app.acme.com now" in text_of(response)
    assert "In use." in text_of(response)


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("", "Write its address"),
        ("ftp://app.acme.com", "no server"),
        ("http://localhost:8000", "this installation"),
        ("app.acme.com:0", "no port"),
        ("x" * 501, "at most 500"),
    ],
)
def test_a_bad_origin_is_refused_at_its_field(alice_client: Client, created: CreatedRealm, origin: str, words: str):
    response = alice_client.post(url_of(created, "app_origin"), {"origin": origin})

    assert response.status_code == 422
    assert words in text_of(response)
    assert built_in(created) == Domain()


def test_charlie_and_viewers_do_not_get_in(
    charlie_client: Client, charlie: User, created: CreatedRealm, alice_client: Client
):
    for method, page in (("get", "app_start"), ("post", "app_origin")):
        response = getattr(charlie_client, method)(url_of(created, page), {"origin": "https://evil.com"})
        assert response.status_code == 404

    Member.objects.create(realm=created.realm, user=charlie, role=Role.VIEWER)
    assert charlie_client.get(url_of(created)).status_code == 403
    Member.objects.filter(user=charlie).update(role=Role.DEVELOPER)
    assert "ask for the role of an admin" in text_of(charlie_client.get(url_of(created)))
    assert charlie_client.post(url_of(created, "app_origin"), {"origin": "https://evil.com"}).status_code == 403
    assert built_in(created) == Domain()


def test_steps_that_were_seen_are_ticked(alice_client: Client, created: CreatedRealm):
    assert "data-done" not in text_of(alice_client.get(url_of(created)))

    for step in (QuickStartStep.PASSED_ON, QuickStartStep.HELD, QuickStartStep.PUSHED):
        mark_step(created.realm, step)

    assert text_of(alice_client.get(url_of(created))).count("data-done") == 3
