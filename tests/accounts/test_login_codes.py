"""Signing in with a code from a mail: for people who kept a sandbox and have no password, and for all others."""

import re
import time
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from accounts.models import OutgoingEmail, User

pytestmark = pytest.mark.django_db

REQUEST = "account_request_login_code"
CONFIRM = "account_confirm_login_code"


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "accounts.email.OutboxBackend"


@pytest.fixture
def kept(db: None) -> User:
    """Somebody who kept a sandbox: an account without a password."""
    user = User.objects.create_user(email="kept@example.com")
    assert not user.has_usable_password()
    return user


def ask(client: Client, email: str = "kept@example.com", **fields: str) -> str:
    """Ask for a code; return the address of the page that takes it."""
    response = client.post(reverse(REQUEST), {"email": email, **fields})
    assert response.status_code == 302, response.context["form"].errors
    return response["Location"]


def mailed_code() -> str:
    body = OutgoingEmail.objects.order_by("-pk")[0].body_text
    [code] = re.findall(r"^[A-Z0-9-]{6,}$", body, re.MULTILINE)
    return code


def enter(client: Client, code: str, **fields: str) -> bool:
    client.post(reverse(CONFIRM), {"code": code, **fields})
    return "_auth_user_id" in client.session


def test_the_sign_in_page_leads_to_it_and_keeps_where_one_was_going(client: Client):
    page = client.get(reverse("account_login"), {"next": "/realms/0a1b2c3d/console/"})

    assert f'href="{reverse(REQUEST)}?next=%2Frealms%2F0a1b2c3d%2Fconsole%2F"' in page.content.decode()


def test_the_code_from_the_mail_signs_in_without_a_password(client: Client, kept: User):
    page = client.get(ask(client))

    assert "kept@example.com" in page.content.decode()
    assert OutgoingEmail.objects.get().recipients == ["kept@example.com"]
    assert enter(client, mailed_code())


def test_it_leads_to_where_one_was_going_and_to_no_stranger(client: Client, kept: User):
    ask(client)
    inside = client.post(reverse(CONFIRM), {"code": mailed_code(), "next": "/realms/"})
    other = Client()
    ask(other)
    outside = other.post(reverse(CONFIRM), {"code": mailed_code(), "next": "https://evil.example/"})

    assert inside["Location"] == "/realms/"
    assert outside["Location"].startswith("/realms/")


def test_a_known_and_an_unknown_address_look_alike_to_the_end(kept: User):
    seen = []
    for email in ("kept@example.com", "nobody@example.com"):
        client = Client()
        address = ask(client, email)
        first = client.get(address).content.decode().replace(email, "ADDRESS")
        wrong = [
            client.post(address, {"code": "ZZZZZZ"}) for _ in range(django_settings.ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS)
        ]
        seen.append((
            address,
            re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", first),
            [(answer.status_code, answer.headers.get("Location")) for answer in wrong],
            wrong[0].context["form"].errors,
        ))  # fmt: skip

    assert seen[0] == seen[1]
    assert [row.recipients for row in OutgoingEmail.objects.all()] == [["kept@example.com"]]


def test_no_code_at_all_signs_nobody_in(client: Client, kept: User):
    ask(client, "nobody@example.com")

    assert not enter(client, "")


def test_a_code_can_be_guessed_three_times(client: Client, kept: User):
    ask(client)
    code = mailed_code()
    for _ in range(django_settings.ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS):
        assert not enter(client, "ZZZZZZ")

    assert not enter(client, code), "even the right one: it takes a new code now"


def test_a_code_works_once_and_only_where_it_was_asked_for(client: Client, kept: User):
    ask(client)
    code = mailed_code()

    assert not enter(Client(), code)
    assert enter(client, code)
    client.post(reverse("account_logout"))
    assert not enter(client, code)


def test_a_code_ends(client: Client, kept: User, monkeypatch: pytest.MonkeyPatch):
    ask(client)
    code = mailed_code()
    late_s = timedelta(minutes=15, seconds=1).total_seconds()
    began_s = time.time()
    monkeypatch.setattr("allauth.account.internal.flows.code_verification.time.time", lambda: began_s + late_s)

    assert not enter(client, code)


def test_asking_is_limited_for_an_address_whether_it_is_known_or_not(kept: User):
    for email in ("kept@example.com", "nobody@example.com"):
        for _ in range(3):
            ask(Client(), email)

        refused = Client().post(reverse(REQUEST), {"email": email.upper()})

        assert refused.status_code == 200
        assert refused.context["form"].errors["email"]
    assert OutgoingEmail.objects.count() == 3


def test_asking_is_limited_for_whoever_asks(settings: Settings):
    settings.ACCOUNT_RATE_LIMITS = {"request_login_code": "3/m/ip"}
    for number in range(3):
        ask(Client(), f"nobody-{number}@example.com")

    refused = Client().post(reverse(REQUEST), {"email": "nobody@example.com"})

    assert refused.context["form"].errors["email"]


def test_another_code_is_sent_on_request_and_takes_the_place_of_the_first(client: Client, kept: User):
    address = ask(client)
    first = mailed_code()

    client.post(address, {"action": "resend"})

    assert OutgoingEmail.objects.count() == 2
    assert not enter(client, first)
    assert enter(client, mailed_code())


def test_not_more_than_a_few_codes_are_sent_again(client: Client, kept: User):
    address = ask(client)

    for _ in range(10):
        client.post(address, {"action": "resend"})

    assert OutgoingEmail.objects.count() <= 4


def test_a_mistyped_address_is_taken_back(client: Client, kept: User):
    ask(client, "typo@example.com")

    back = client.post(reverse("account_logout"), {"next": reverse(REQUEST)})

    assert back["Location"] == reverse(REQUEST)
    assert client.get(reverse(REQUEST)).status_code == 200


def test_an_account_that_is_switched_off_gets_no_code(client: Client, kept: User):
    User.objects.filter(pk=kept.pk).update(is_active=False)

    ask(client)

    assert not OutgoingEmail.objects.exists()
