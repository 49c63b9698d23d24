"""Pages for what failed: each says why, what to do, and leads on."""

import html

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.test import AsyncClient, AsyncRequestFactory, Client
from django.urls import reverse

from accounts.models import User
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.failure_pages import explain_forms_only
from onboarding import about_views
from realms.models import Member
from realms.roles import Role
from realms.services import CreatedRealm

#: What a browser asks for.
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def text_of(response: HttpResponse) -> str:
    return html.unescape(response.content.decode())


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> HttpResponse:
    """Return the answer of a page whose reading fails so."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(about_views, "read_status", fail)
    return Client(raise_request_exception=False).get(reverse("onboarding:status"))


@pytest.mark.parametrize("error", [OperationalError("no"), InterfaceError("closed"), Unavailable("the broker is away")])
def test_where_waiting_helps_it_is_said(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    response = fail_with(monkeypatch, error)

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "Wait a few seconds, then try again" in text_of(response)
    assert "Try this page again" in text_of(response)


async def test_so_it_is_where_requests_come_by_asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("no")

    monkeypatch.setattr(about_views, "read_status", fail)

    response = await AsyncClient(raise_request_exception=False).get(reverse("onboarding:status"))

    assert (response.status_code, response["Retry-After"]) == (503, "5")


def test_another_fault_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    response = fail_with(monkeypatch, RuntimeError("a fault"))

    assert response.status_code == 500
    assert "the fault is ours" in text_of(response)
    assert "Retry-After" not in response


def test_an_address_of_a_form_says_so_to_whoever_opens_it(alice_client: Client, created: CreatedRealm) -> None:
    response = alice_client.get(reverse("realms:rule_add", args=[created.realm.pk]), headers=BROWSER)

    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert "This address only takes forms" in text_of(response)
    assert reverse("realms:list") in text_of(response)


async def test_so_does_one_whose_view_is_asynchronous() -> None:
    request = AsyncRequestFactory().get("/realms/add/", headers=BROWSER)
    request.user = AnonymousUser()

    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponseNotAllowed(["POST"])

    response = await explain_forms_only(view)(request)

    assert response.status_code == 405
    assert "This address only takes forms" in text_of(response)


def test_what_a_program_is_answered_stays_as_it_is(alice_client: Client) -> None:
    response = alice_client.delete("/api/v1/realms")
    bare = alice_client.get(reverse("device_begin"), headers={"accept": "*/*"})

    assert response.status_code == bare.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
    assert bare.content == b""


def test_who_may_not_do_something_is_told_which_role_it_takes(created: CreatedRealm, bob: User, client: Client) -> None:
    Member.objects.create(realm=created.realm, user=bob, role=Role.VIEWER)
    client.force_login(bob)

    response = client.post(reverse("realms:domain_add", args=[created.realm.pk]), {"name": "push.example.com"})

    assert response.status_code == 403
    assert "Your role in this realm is viewer; this needs admin." in text_of(response)
    assert "Ask an admin of the realm to make you admin." in text_of(response)
