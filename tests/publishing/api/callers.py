"""Who calls the management API in the tests."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from realms.actors import Actor
from realms.models import Realm
from realms.scopes import ALL_SCOPES, Scope
from realms.services.api_tokens import issue_api_token

API = "/api/v1"


class Caller:
    """Somebody with an Authorization header."""

    def __init__(self, authorization: str = "", *, address: str = "192.0.2.1") -> None:
        self._client = Client(raise_request_exception=False)
        self._address = address
        self.authorization = authorization

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Send one request; `headers` are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.authorization:
            given.setdefault("Authorization", self.authorization)
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        content_type = given.pop("Content-Type", "application/json")
        return self._client.generic(
            method, path if path.startswith("/") else f"{API}/{path}", data, content_type,
            headers=given, REMOTE_ADDR=self._address,
        )  # fmt: skip

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self("PATCH", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> HttpResponse:
        return self("DELETE", path, **headers)


def personal_token(user: User, scopes: Any = ALL_SCOPES, **choices: Any) -> str:
    """Return the text of a new personal API token."""
    return issue_api_token(issued_by=Actor.of_person(user), scopes=scopes, **choices).text


def realm_token(realm: Realm, scopes: Any = ALL_SCOPES, **choices: Any) -> str:
    """Return the text of a new API token of the realm."""
    return issue_api_token(issued_by=Actor.of_person(realm.owner), realm=realm, scopes=scopes, **choices).text


def caller_for(user: User, *scopes: Scope) -> Caller:
    """Return somebody with a personal API token; without scopes, with all."""
    return Caller(f"Bearer {personal_token(user, scopes or ALL_SCOPES)}")
