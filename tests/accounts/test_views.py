"""Signing up, in and out, and passwords, through the pages."""

import re
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from accounts import services
from accounts.models import OutgoingEmail, User
from onboarding.services import mark_delivered
from realms.models import Realm
from realms.services import CreatedRealm
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "another fine password"
NEW_PASSWORD_FIELDS = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
SIGN_UP = {"email": "alice@example.com", "password1": PASSWORD}


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "accounts.email.OutboxBackend"
    settings.EMAIL_DELIVERY_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def sign_in(client: Client, email: str = "alice@example.com", password: str = PASSWORD) -> bool:
    client.post(reverse("account_login"), {"login": email, "password": password})
    return "_auth_user_id" in client.session


def test_signing_up_takes_an_address_and_a_password_and_nothing_else(client: Client):
    page = client.get(reverse("account_signup"))

    names = set(re.findall(r'<input[^>]* name="([^"]+)"', page.content.decode()))
    assert names - {"csrfmiddlewaretoken", "next"} == {"email", "password1"}


def test_signing_up_leads_to_the_quick_start_of_a_realm_that_exists(client: Client):
    response = client.post(reverse("account_signup"), SIGN_UP)

    realm = Realm.objects.get()
    assert response.status_code == 302
    assert response["Location"] == reverse("onboarding:quick_start", args=[realm.pk])
    assert realm.owner.email == "alice@example.com"
    assert "_auth_user_id" in client.session


def test_signing_up_sends_no_mail(client: Client):
    client.post(reverse("account_signup"), SIGN_UP)

    assert not OutgoingEmail.objects.exists()


def test_who_was_on_the_way_elsewhere_has_a_realm_all_the_same(client: Client):
    response = client.post(reverse("account_signup"), SIGN_UP | {"next": "/realms/"})

    assert response["Location"] == "/realms/"
    assert Realm.objects.count() == 1


@pytest.mark.parametrize("next_url", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_nobody_is_led_to_a_stranger(client: Client, next_url: str):
    response = client.post(reverse("account_signup"), SIGN_UP | {"next": next_url})

    assert response["Location"].startswith("/realms/")


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "ALICE@example.com"}, "email"),
        ({"password1": "short"}, "password1"),
        ({"password1": "1234567890"}, "password1"),
        ({"password1": "new.person@example.org"}, "password1"),
    ],
)
def test_signing_up_with_bad_input_names_the_field_and_stores_nothing(
    client: Client, alice: User, fault: dict[str, str], field: str
):
    response = client.post(
        reverse("account_signup"), {"email": "new.person@example.org", "password1": PASSWORD} | fault
    )

    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert User.objects.count() == 1


def test_the_second_of_two_sign_ups_at_once_sees_an_error_and_no_crash(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
):
    # Both have looked for the address before either stored it.
    monkeypatch.setattr(
        "allauth.account.internal.flows.manage_email.email_already_exists", lambda email, **kwargs: (email, False)
    )

    response = client.post(reverse("account_signup"), SIGN_UP | {"email": "Alice@example.com"})

    assert response.status_code == 200
    assert "email" in response.context["form"].errors
    assert User.objects.count() == 1


def test_signing_in_works_whatever_the_case_of_the_address(client: Client, alice: User):
    assert sign_in(client, "Alice@Example.com")


def test_signing_in_leads_to_the_quick_start_until_an_item_arrived(client: Client, created: CreatedRealm):
    credentials = {"login": "alice@example.com", "password": PASSWORD}
    unfinished = client.post(reverse("account_login"), credentials)
    mark_delivered(created.realm)
    finished = Client().post(reverse("account_login"), credentials)

    assert unfinished["Location"] == reverse("onboarding:quick_start", args=[created.realm.pk])
    assert finished["Location"] == reverse("realms:list")


def test_a_wrong_password_and_an_unknown_address_look_the_same(client: Client, alice: User):
    wrong = client.post(reverse("account_login"), {"login": "alice@example.com", "password": "not this one"})
    unknown = client.post(reverse("account_login"), {"login": "nobody@example.com", "password": "not this one"})

    assert wrong.context["form"].errors == unknown.context["form"].errors
    assert wrong.context["form"].errors


def test_guessing_a_password_is_slowed_down(client: Client, alice: User):
    for _ in range(5):
        assert not sign_in(client, password="a guess")

    assert not sign_in(client), "even the right one, for now"


def test_signing_up_is_limited_per_address_of_the_client(client: Client, settings: Settings):
    settings.ACCOUNT_RATE_LIMITS = {"signup": "3/m/ip"}

    statuses = [client.post(reverse("account_signup"), {}).status_code for _ in range(4)]

    assert statuses == [200, 200, 200, 429]


def test_signing_out_takes_a_post(alice_client: Client):
    alice_client.get(reverse("account_logout"))
    assert "_auth_user_id" in alice_client.session

    response = alice_client.post(reverse("account_logout"))

    assert response["Location"] == "/"
    assert "_auth_user_id" not in alice_client.session


def test_a_forgotten_password_is_set_anew_through_the_mail(client: Client, alice: User):
    client.post(reverse("account_reset_password"), {"email": "ALICE@example.com"})
    services.deliver(OutgoingEmail.objects.get().pk)
    [message] = mail.outbox
    [link] = re.findall(r"http://\S+/password/reset/key/\S+", message.body)

    page = client.get(urlsplit(link).path, follow=True)
    client.post(page.redirect_chain[-1][0], NEW_PASSWORD_FIELDS)

    assert message.to == ["alice@example.com"]
    assert not sign_in(Client())
    assert sign_in(Client(), password=NEW_PASSWORD)


def test_a_reset_link_works_once(client: Client, alice: User):
    client.post(reverse("account_reset_password"), {"email": "alice@example.com"})
    link = re.findall(r"http://\S+/password/reset/key/\S+", OutgoingEmail.objects.get().body_text)[0]
    page = client.get(urlsplit(link).path, follow=True)
    client.post(page.redirect_chain[-1][0], NEW_PASSWORD_FIELDS)

    again = Client().get(urlsplit(link).path, follow=True)

    assert again.context["token_fail"]


def test_asking_for_a_reset_tells_nobody_who_has_an_account(client: Client, alice: User):
    known = client.post(reverse("account_reset_password"), {"email": "alice@example.com"})
    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@example.com"})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert [row.recipients for row in OutgoingEmail.objects.all()] == [["alice@example.com"]]


def test_a_password_is_changed_with_the_old_one(alice_client: Client):
    fields = {"oldpassword": PASSWORD, **NEW_PASSWORD_FIELDS}

    refused = alice_client.post(reverse("account_change_password"), fields | {"oldpassword": "not this one"})
    accepted = alice_client.post(reverse("account_change_password"), fields)

    assert "oldpassword" in refused.context["form"].errors
    assert accepted.status_code == 302
    assert sign_in(Client(), password=NEW_PASSWORD)


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password"])
def test_a_form_without_a_token_is_refused(alice: User, name: str):
    assert Client(enforce_csrf_checks=True).post(reverse(name), SIGN_UP).status_code == 403


@pytest.mark.parametrize(
    "name",
    ["account_login", "account_signup", "account_reset_password", "account_reset_password_done", "account_inactive"],
)
def test_every_page_for_strangers_can_be_seen(client: Client, name: str):
    assert client.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", ["account_logout", "account_change_password"])
def test_every_page_for_people_who_are_signed_in_can_be_seen(alice_client: Client, name: str):
    assert alice_client.get(reverse(name)).status_code == 200


def test_pages_carry_the_security_headers(client: Client):
    page = client.get(reverse("account_login"))

    policy = page["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["X-Frame-Options"] == "DENY"
    assert page["Referrer-Policy"] == "same-origin"
    assert page["Cross-Origin-Opener-Policy"] == "same-origin"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", page.content.decode())


def test_the_session_cookie_stays_on_its_host_and_away_from_scripts(client: Client, alice: User):
    sign_in(client)

    cookie = client.cookies["sessionid"]
    assert (cookie["domain"], cookie["httponly"], cookie["samesite"], cookie["path"]) == ("", True, "Lax", "/")


def test_a_reset_link_leads_to_our_address_whatever_host_was_asked(client: Client, alice: User, settings: Settings):
    settings.PUBLIC_URL = "https://fanout.example.com"

    client.post(reverse("account_reset_password"), {"email": "alice@example.com"}, HTTP_HOST="127.0.0.1:9")

    row = OutgoingEmail.objects.get()
    assert "https://fanout.example.com/accounts/password/reset/key/" in row.body_text
    assert "127.0.0.1" not in row.body_text + row.body_html + row.subject
    assert "within the next 4 hours" in row.body_text
