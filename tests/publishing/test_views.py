"""The pages about the management API."""

import re

from django.test import Client
from django.urls import reverse

from publishing.api.schema import openapi_document
from tests.publishing.api.callers import Caller


def test_the_page_shows_every_operation(db: None, client: Client):
    page = client.get(reverse("api_page")).content.decode()

    for path, methods in openapi_document()["paths"].items():
        assert path in page
        for operation in methods.values():
            assert f'id="op-{operation["operationId"]}"' in page
    assert "<script>" not in page
    assert "style=" not in page


def test_every_problems_type_leads_to_its_explanation(db: None, client: Client, nobody: Caller):
    page = client.get(reverse("api_problems")).content.decode()
    known = set(re.findall(r'<dt class="facts-name" id="(\w+)">', page))

    for code in ("realm_not_found", "role_too_low", "not_json", "idempotency_conflict", "already_member"):
        assert code in known
    kind = nobody.get("me").json()["type"]
    path, _, anchor = kind.partition("#")
    assert path.endswith(reverse("api_problems"))
    assert anchor in known
