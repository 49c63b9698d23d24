"""Pages of the documentation, with the reader's own realm in the examples."""

import pytest
from django.test import Client

from realms.services import CreatedRealm, create_realm

pytestmark = pytest.mark.django_db


def text_of(response) -> str:
    return response.content.decode()


def test_everybody_may_read_and_placeholders_stay(client: Client):
    response = client.get("/docs/api/publish/")

    assert response.status_code == 200
    assert '<span class="fill" data-fill="realm">$REALM</span>' in text_of(response)
    assert "Sign in" in text_of(response)


def test_somebody_with_a_realm_finds_it_in_the_examples(alice_client: Client, created: CreatedRealm):
    other = create_realm(owner=created.realm.owner, label="the other")
    response = alice_client.get("/docs/api/publish/")

    assert f'<span class="filled">{created.secret}</span>' in text_of(response)
    assert "no-store" in response["Cache-Control"]
    chosen = text_of(alice_client.get(f"/docs/api/publish/?realm={other.realm.pk}"))
    assert other.secret in chosen
    assert created.secret not in chosen


def test_nobody_finds_anothers_realm_there(charlie_client: Client, created: CreatedRealm):
    page = text_of(charlie_client.get(f"/docs/api/publish/?realm={created.realm.pk}"))

    assert created.secret not in page
    assert created.realm.pk not in page


def test_a_visitor_finds_their_sandbox(client: Client):
    client.post("/sandbox/")

    assert '<span class="filled">' in text_of(client.get("/docs/api/publish/"))


def test_search_answers_with_a_page_or_with_hits_alone(client: Client):
    page, hits = (
        client.get("/docs/search/?q=resume"),
        client.get("/docs/search/?q=resume", headers={"HX-Request": "true"}),
    )

    assert "<mark>" in text_of(page)
    assert "<html" in text_of(page)
    assert "<html" not in text_of(hits)
    assert "Nothing holds all of" in text_of(client.get("/docs/search/?q=xyzzyplugh"))
    assert "<script>" not in text_of(client.get("/docs/search/?q=<script>"))


@pytest.mark.parametrize("path", ["/docs/nosuch/", "/docs/../manage/", "/docs/img/nosuch.svg", "/docs/api/"])
def test_what_is_not_there_is_missing(client: Client, path: str):
    assert client.get(path).status_code == 404


def test_pictures_and_the_changelog_are_served(client: Client):
    picture = client.get("/docs/img/bench.svg")

    assert picture["Content-Type"] == "image/svg+xml"
    assert "sandbox" in picture["Content-Security-Policy"]
    assert "The first page is a channel of your own" in text_of(client.get("/changelog/"))
