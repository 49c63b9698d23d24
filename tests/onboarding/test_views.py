"""The first page, the quick start and its own way of sending."""

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.directory import Rate, RealmLimits, RealmSnapshot, Retention
from fanoutcloud.core.names import RealmId
from onboarding.first_page import read_first_sheet
from onboarding.services import mark_delivered, mark_published, mark_subscribed
from publishing.rate_limits import PublishLimiter
from publishing.services import Publisher
from realms.services import CreatedRealm, delete_realm
from tests.fakes.activity import RecordingActivity
from tests.fakes.broker import BrokerThatIsDown, read_all
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory

HTMX = {"HX-Request": "true"}


@pytest.fixture
def plane(created: CreatedRealm) -> Iterator[SimpleNamespace]:
    """A delivery plane that knows Alice's realm; it takes two items and no third."""
    realm, clock = RealmId(created.realm.pk), SteppedClock()
    snapshot = RealmSnapshot(realm, (), Retention(), RealmLimits(publish_items=Rate(per_s=1.0, burst=2)))
    broker, activity = MemoryBroker(clock), RecordingActivity(realm)
    publisher = Publisher(broker=broker, activity=activity, limiter=PublishLimiter(clock), clock=clock)
    plane = SimpleNamespace(
        broker=broker, directory=FakeDirectory(snapshot), activity=activity, publisher=publisher, clock=clock
    )
    config = apps.get_app_config("publishing")
    config.plane = plane
    yield plane
    config.plane = None


def text_of(response) -> str:
    return response.content.decode()


def send_url(created: CreatedRealm) -> str:
    return reverse("onboarding:send", args=[created.realm.pk])


# -- the first page ----------------


def test_the_first_page_is_for_everybody(client: Client):
    response = client.get("/")

    assert response.status_code == 200
    assert reverse("account_signup") in text_of(response)


def test_the_first_page_leads_those_signed_in_to_their_realms(alice_client: Client):
    page = text_of(alice_client.get("/"))

    assert reverse("realms:list") in page
    assert "See your own first message arrive" not in page


@pytest.mark.parametrize("path", ["/", "/accounts/signup/", "/accounts/login/"])
def test_pages_hold_no_inline_script_and_no_style_of_one_element(client: Client, path: str):
    page = text_of(client.get(path))

    assert " style=" not in page
    assert len(re.findall(r"<script[^>]* src=\"/static/[^>]*></script>", page)) == page.count("<script") > 0


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/login/"])
def test_other_pages_hold_no_style_sheet(client: Client, path: str):
    response = client.get(path)

    assert "<style" not in text_of(response)
    assert "nonce" not in response["Content-Security-Policy"]


def test_the_first_page_brings_its_sheets_along_and_only_those_are_let_pass(client: Client):
    first, second = client.get("/"), client.get("/")

    (nonce,) = re.findall(r'<style nonce="([^"]+)">', text_of(first))
    assert f"'nonce-{nonce}'" in first["Content-Security-Policy"]
    assert "script-src 'self'" in first["Content-Security-Policy"]
    assert nonce not in second["Content-Security-Policy"]
    assert "</style" not in read_first_sheet()
    assert 'url("/static/img/fan.svg")' in read_first_sheet()
    assert "../" not in read_first_sheet()


def test_the_first_page_is_compressed_for_those_who_ask_for_it(client: Client):
    response = client.get("/", headers={"accept-encoding": "gzip"})

    assert response["Content-Encoding"] == "gzip"
    assert len(response.content) < 14_000  # what a server sends before it hears back: ten packets


def test_the_page_for_broken_pages_needs_no_context():
    page = render_to_string("500.html")

    assert "Something broke on our side" in page
    assert "Sign in" not in page


def test_a_missing_page_shows_the_way_out(client: Client, db: None):
    response = client.get("/no/such/page/")

    assert response.status_code == 404
    assert reverse("account_login") in text_of(response)


# -- the quick start ----------------


def test_the_quick_start_shows_the_key_to_its_owner_and_to_no_cache(alice_client: Client, created: CreatedRealm):
    response = alice_client.get(reverse("onboarding:quick_start", args=[created.realm.pk]))

    assert text_of(response).count(created.secret) >= 3
    assert "no-store" in response.headers["Cache-Control"]


def test_the_quick_start_is_missing_for_charlie(charlie_client: Client, created: CreatedRealm):
    response = charlie_client.get(reverse("onboarding:quick_start", args=[created.realm.pk]))

    assert response.status_code == 404
    assert created.secret not in text_of(response)


def test_strangers_are_sent_to_sign_in(client: Client, created: CreatedRealm):
    for response in (
        client.get(reverse("onboarding:quick_start", args=[created.realm.pk])),
        client.post(send_url(created)),
    ):
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("account_login"))


def test_ticks_are_there_after_a_reload(alice_client: Client, created: CreatedRealm):
    url = reverse("onboarding:quick_start", args=[created.realm.pk])
    assert text_of(alice_client.get(url)).count("data-done") == 0

    mark_subscribed(created.realm)
    mark_published(created.realm)
    page = text_of(alice_client.get(url))
    assert page.count("data-done") == 2
    assert 'aria-labelledby="next-heading" hidden' in " ".join(page.split())

    mark_delivered(created.realm)
    page = text_of(alice_client.get(url))
    assert page.count("data-done") == 3
    assert 'aria-labelledby="next-heading" hidden' not in " ".join(page.split())


# -- send it for me ----------------


def test_send_it_for_me_publishes_the_text(alice_client: Client, created: CreatedRealm, plane: SimpleNamespace):
    response = alice_client.post(send_url(created), {"text": 'Ça "va"? </script>'}, headers=HTMX)

    assert response.status_code == 200
    assert "Sent." in text_of(response)
    [item] = async_to_sync(read_all)(plane.broker, RealmId(created.realm.pk), "hello")
    assert item.first_content.decode() == '{"text":"Ça \\"va\\"? </script>"}'
    [(_, event)] = plane.activity.events
    assert event.via == "page"


def test_send_it_for_me_works_without_a_script(alice_client: Client, created: CreatedRealm, plane: SimpleNamespace):
    response = alice_client.post(send_url(created), {"text": "hi"}, follow=True)

    assert response.redirect_chain == [(reverse("onboarding:quick_start", args=[created.realm.pk]), 302)]
    assert "Sent to the channel hello." in text_of(response)


def test_charlie_sends_nothing(charlie_client: Client, created: CreatedRealm, plane: SimpleNamespace):
    response = charlie_client.post(send_url(created), {"text": "hi"}, headers=HTMX)

    assert response.status_code == 404
    assert plane.activity.events == []


@pytest.mark.parametrize("text", ["", "   ", "x" * 201, "nul\0"])
def test_a_text_that_is_no_text_is_refused(
    alice_client: Client, created: CreatedRealm, plane: SimpleNamespace, text: str
):
    response = alice_client.post(send_url(created), {"text": text}, headers=HTMX)

    assert response.status_code == 422
    assert "field-error" in text_of(response)
    assert plane.activity.events == []


def test_the_rate_limit_holds_for_the_button_too(alice_client: Client, created: CreatedRealm, plane: SimpleNamespace):
    for _ in range(2):
        assert alice_client.post(send_url(created), {"text": "hi"}, headers=HTMX).status_code == 200

    response = alice_client.post(send_url(created), {"text": "hi"}, headers=HTMX)

    assert response.status_code == 429
    assert "try again in" in text_of(response)


def test_a_broker_in_trouble_is_said_plainly(alice_client: Client, created: CreatedRealm, plane: SimpleNamespace):
    plane.publisher = Publisher(
        broker=BrokerThatIsDown(plane.clock),
        activity=plane.activity,
        limiter=PublishLimiter(plane.clock),
        clock=plane.clock,
    )

    response = alice_client.post(send_url(created), {"text": "hi"}, follow=True)

    assert "the broker does not answer" in text_of(response)


def test_a_process_that_only_serves_pages_says_so(alice_client: Client, created: CreatedRealm):
    response = alice_client.post(send_url(created), {"text": "hi"}, headers=HTMX)

    assert response.status_code == 503
    assert "cannot publish" in text_of(response)


def test_a_realm_that_was_just_deleted_is_missing(alice_client: Client, created: CreatedRealm, plane: SimpleNamespace):
    delete_realm(realm=created.realm)

    assert alice_client.post(send_url(created), {"text": "hi"}, headers=HTMX).status_code == 404


def test_what_cannot_be_read_is_answered_with_a_page(client: Client):
    answer = client.post(reverse("account_login"), {f"field-{number}": "" for number in range(1001)})

    assert answer.status_code == 400
    assert "This request could not be read" in text_of(answer)
