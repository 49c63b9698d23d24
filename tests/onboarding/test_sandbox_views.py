"""A visitor's sandbox: made by a POST, found again by the session, kept by a link."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import User
from realms.models import Realm, Sandbox
from tests.factories import make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
EMAIL = "dana@example.com"


@pytest.fixture(autouse=True)
def _mails_at_hand(settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def text_of(response) -> str:
    return response.content.decode()


def open_one(client: Client) -> str:
    """Open a sandbox; return the id of its realm."""
    response = client.post("/sandbox/", headers=HTMX)
    assert response.status_code == 200
    return re.search('data-realm="([0-9a-f]{8})"', text_of(response))[1]


def ask(client: Client, email: str = EMAIL):
    return client.post("/sandbox/keep/", {"email": email}, headers=HTMX)


def link_of(message) -> str:
    """Return the path of the link in a mail; text and HTML hold the same."""
    link = re.search(r"https?://\S+(/keep/\S+/)", message.body)[1]
    assert link in message.alternatives[0][0]
    return link


# -- opening ----------------


def test_loading_the_page_makes_nothing(client: Client):
    for _ in range(3):
        assert 'id="open-sandbox"' in text_of(client.get("/"))

    assert not Realm.objects.exists()


def test_a_post_makes_one_sandbox_for_a_browser(client: Client):
    realm = open_one(client)

    assert open_one(client) == realm
    assert f'data-realm="{realm}"' in text_of(client.get("/"))
    assert Realm.objects.count() == 1
    assert open_one(Client()) != realm


def test_what_the_page_shows_is_for_no_cache(client: Client):
    open_one(client)

    assert "no-store" in client.get("/")["Cache-Control"]


def test_the_form_works_without_a_script(client: Client):
    response = client.post("/sandbox/")

    assert response["Location"] == "/#try"
    assert "data-realm" in text_of(client.get("/"))


def test_a_browser_whose_sandbox_is_over_gets_another(client: Client):
    realm = open_one(client)
    Sandbox.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert 'id="open-sandbox"' in text_of(client.get("/"))
    assert open_one(client) != realm


def test_who_is_signed_in_is_offered_their_realms_instead(alice_client: Client):
    page = text_of(alice_client.get("/"))

    assert "Open your realms" in page
    assert 'id="sandbox"' not in page


def test_an_installation_without_sandboxes_offers_an_account(client: Client, settings):
    settings.SANDBOXES = 0

    assert 'id="sandbox"' not in text_of(client.get("/"))
    response = client.post("/sandbox/", headers=HTMX)
    assert response.status_code == 429
    assert "Create an account" in text_of(response)


def test_an_address_that_opens_too_many_is_told_when_to_come_back(client: Client, settings):
    settings.SANDBOXES_PER_ADDRESS = 1
    open_one(Client())

    response = client.post("/sandbox/", headers=HTMX)

    assert response.status_code == 429
    assert 3500 < int(response["Retry-After"]) <= 3600
    assert "One address may open 1 sandboxes an hour. Try again in" in text_of(response)
    assert client.post("/sandbox/")["Location"] == "/accounts/signup/"


def test_a_forged_post_of_another_site_makes_nothing():
    response = Client(enforce_csrf_checks=True).post("/sandbox/")

    assert response.status_code == 403
    assert not Realm.objects.exists()


# -- publishing ----------------


def test_the_button_needs_a_sandbox(client: Client):
    response = client.post("/sandbox/send/", {"text": "hi"}, headers=HTMX)

    assert response.status_code == 422
    assert "this sandbox is over" in text_of(response)


def test_an_empty_text_is_refused(client: Client):
    open_one(client)

    response = client.post("/sandbox/send/", {"text": " "}, headers=HTMX)

    assert response.status_code == 422
    assert "Write something to send." in text_of(response)


# -- keeping ----------------


def test_one_field_and_one_link_make_an_account(client: Client):
    realm = open_one(client)
    assert "A link is on its way to" in text_of(ask(client))
    [message] = mail.outbox
    assert message.to == [EMAIL]
    link = link_of(message)

    reader = Client()
    page = text_of(reader.get(link))
    assert "Keep it and create my account" in page
    assert not User.objects.exists()

    response = reader.post(link, follow=True)

    assert response.redirect_chain[-1][0] == f"/realms/{realm}/start/"
    assert "It is yours now." in text_of(response)
    user = User.objects.get()
    assert user.email == EMAIL
    assert not user.has_usable_password()
    assert Realm.objects.get().owner == user


def test_a_link_works_once(client: Client):
    open_one(client)
    ask(client)
    link = link_of(mail.outbox[0])
    Client().post(link)

    for stranger in (Client().get(link), Client().post(link)):
        assert stranger.status_code == 404
        assert "This link has done its work" in text_of(stranger)
    assert "_auth_user_id" not in client.session


def test_who_has_an_account_gets_the_realm_into_it(client: Client):
    user = make_user("Dana@Example.com")
    realm = open_one(client)
    ask(client)
    link = link_of(mail.outbox[0])

    reader = Client()
    assert "Keep it and sign in" in text_of(reader.get(link))
    reader.post(link)

    assert Realm.objects.get(pk=realm).owner == user
    assert User.objects.count() == 1


def test_somebody_whose_account_is_closed_is_not_signed_in(client: Client):
    user = make_user(EMAIL)
    user.is_active = False
    user.save(update_fields=["is_active"])
    open_one(client)
    ask(client)

    reader = Client()
    reader.post(link_of(mail.outbox[0]))

    assert "_auth_user_id" not in reader.session


def test_the_link_of_a_sandbox_that_is_over_says_so(client: Client):
    open_one(client)
    ask(client)
    Sandbox.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert Client().get(link_of(mail.outbox[0])).status_code == 404


@pytest.mark.parametrize("token", ["x", "x:y:z", "W10:1:abc"])
def test_a_link_that_was_made_up_is_missing(client: Client, token: str):
    assert client.get(f"/keep/{token}/").status_code == 404


@pytest.mark.parametrize("email", ["", "nobody", "a@b", "x" * 250 + "@example.com"])
def test_an_address_that_is_none_is_refused_in_place(client: Client, email: str):
    open_one(client)

    response = ask(client, email)

    assert response.status_code == 422
    assert 'aria-invalid="true"' in text_of(response)
    assert mail.outbox == []


def test_nobody_can_have_a_stranger_mailed_without_end(client: Client):
    open_one(client)
    for number in range(3):
        assert ask(client, f"{number}@example.com").status_code == 200

    response = ask(client)

    assert response.status_code == 422
    assert "3 links were sent for this sandbox already" in text_of(response)
    for _ in range(3):
        other = Client()
        open_one(other)
        ask(other, "victim@example.com")
    last = Client()
    open_one(last)
    assert ask(last, "Victim@example.com").status_code == 429
    assert len(mail.outbox) == 6


def test_keeping_needs_a_sandbox(client: Client):
    assert "this sandbox is over" in text_of(ask(client)).lower()
    assert mail.outbox == []


def test_keeping_works_without_a_script(client: Client):
    open_one(client)

    response = client.post("/sandbox/keep/", {"email": EMAIL}, follow=True)

    assert f"A link is on its way to {EMAIL}." in text_of(response)
    response = client.post("/sandbox/keep/", {"email": "nobody"}, follow=True)
    assert "That is no e-mail address" in text_of(response)
