"""The addresses that `fanout login` asks, and the page where a person answers."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from publishing.api.device_login_paths import device_login_paths
from realms.models import ApiToken, DeviceLogin
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Client:
    """A program: without cookies, and held to what browsers are held to."""
    return Client(enforce_csrf_checks=True)


def begin(program: Client, **fields: str) -> dict[str, Any]:
    told: dict[str, Any] = program.post(reverse("device_begin"), {"label": "fanout on laptop"} | fields).json()
    return told


def claim(program: Client, begun: dict[str, Any]) -> Any:
    DeviceLogin.objects.update(asked_at=None)  # nobody asks too often here
    return program.post(reverse("device_claim"), {"device_code": begun["device_code"]})


def decide(browser: Client, begun: dict[str, Any], decision: str) -> str:
    fields = {"code": begun["user_code"], "decision": decision}
    return browser.post(reverse("device"), fields).content.decode()


def test_a_program_is_let_in(program: Client, alice_client: Client, created: CreatedRealm) -> None:
    begun = begin(program, scope="realms:read items:publish")
    filled_in = alice_client.get(begun["verification_uri_complete"]).content.decode()
    page = alice_client.post(reverse("device"), {"code": begun["user_code"]}).content.decode()
    assert claim(program, begun).json()["error"]["code"] == "authorization_pending"

    assert "Done" in decide(alice_client, begun, "approve")
    told = claim(program, begun).json()

    assert f'value="{begun["user_code"]}"' in filled_in
    assert "fanout on laptop" not in filled_in
    assert all(text in page for text in (begun["user_code"], "fanout on laptop", "127.0.0.1", "publish items"))
    assert (told["token_type"], told["scope"], told["email"]) == (
        "Bearer",
        "items:publish realms:read",
        "alice@example.com",
    )
    listed = Caller(f"Bearer {told['access_token']}").get("realms").json()
    assert [row["id"] for row in listed["items"]] == [created.realm.pk]
    assert claim(program, begun).status_code == 404


def test_answers_have_the_members_that_the_openapi_document_names(program: Client, alice_client: Client) -> None:
    begun = begin(program)
    decide(alice_client, begun, "approve")
    claimed = claim(program, begun).json()
    revoked = program.post(reverse("device_revoke"), {"token": claimed["access_token"]}).json()

    for name, told in (("device_begin", begun), ("device_claim", claimed), ("device_revoke", revoked)):
        answer = device_login_paths()[reverse(name)]["post"]["responses"]["200"]
        assert list(told) == answer["content"]["application/json"]["schema"]["required"]


def test_the_token_opens_nothing_of_others(
    program: Client, charlie_client: Client, created: CreatedRealm, alice: User
) -> None:
    begun = begin(program)
    decide(charlie_client, begun, "approve")

    caller = Caller(f"Bearer {claim(program, begun).json()['access_token']}")

    assert caller.get("realms").json()["items"] == []
    assert caller.get(f"realms/{created.realm.pk}").status_code == 404


def test_looking_at_the_page_lets_nobody_in(program: Client, alice_client: Client) -> None:
    begun = begin(program)

    alice_client.get(reverse("device"), {"code": begun["user_code"], "decision": "approve"})
    alice_client.post(reverse("device"), {"code": begun["user_code"], "decision": "nothing"})

    assert claim(program, begun).status_code == 400
    assert not ApiToken.objects.exists()


def test_an_answer_needs_the_pages_own_form(program: Client, alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    begun = begin(program)

    assert browser.post(reverse("device"), {"code": begun["user_code"], "decision": "approve"}).status_code == 403
    assert claim(program, begun).status_code == 400


def test_a_refusal_is_told(program: Client, alice_client: Client) -> None:
    begun = begin(program)

    assert "Refused" in decide(alice_client, begun, "deny")
    assert claim(program, begun).json()["error"]["code"] == "access_denied"
    assert alice_client.post(reverse("device"), {"code": begun["user_code"]}).status_code == 404


def test_whoever_is_not_signed_in_is_asked_to(client: Client, program: Client) -> None:
    begun = begin(program)

    answer = client.get(begun["verification_uri_complete"])

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/accounts/device/")


def test_codes_can_not_be_guessed_one_after_the_other(alice_client: Client) -> None:
    statuses = [alice_client.post(reverse("device"), {"code": f"BCDF-{n:04}"}).status_code for n in range(22)]

    assert statuses[0] == 404
    assert statuses[-1] == 429


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [({"scope": "all"}, 400, "invalid_request"), ({"label": "x" * 200}, 400, "invalid_label")],
)
def test_a_bad_request_is_refused_and_nothing_waits(
    program: Client, fields: dict[str, str], status: int, code: str
) -> None:
    answer = program.post(reverse("device_begin"), fields)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not DeviceLogin.objects.exists()


@pytest.mark.parametrize("name", ["device_begin", "device_claim"])
def test_programs_post(program: Client, name: str) -> None:
    assert program.get(reverse(name)).status_code == 405


def test_a_secret_that_nobody_has_is_not_found(program: Client) -> None:
    assert program.post(reverse("device_claim"), {"device_code": "x"}).status_code == 404
    assert program.post(reverse("device_claim")).status_code == 404
