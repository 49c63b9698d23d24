"""API tokens: those of the person who asks, and those of a realm."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource, Resource
from publishing.api.serializers import Fields, LabelField, PageQuery, instant
from realms.models import ApiToken
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import get_personal_token, get_realm_token, list_personal_tokens, list_realm_tokens
from realms.services.api_tokens import IssuedToken, issue_api_token, revoke_personal_token, revoke_realm_token

_SCOPES = [(scope.value, scope.meaning) for scope in Scope]


class TokenFields(Fields):
    """An API token, without its text."""

    id = serializers.IntegerField()
    prefix = serializers.CharField(help_text="Its first characters, to tell tokens apart.")
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a declared field
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=_SCOPES))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    last_used_from = serializers.CharField(allow_null=True, help_text="The address that it was last used from.")

    def to_representation(self, token: ApiToken) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "id": token.pk,
            "prefix": token.prefix,
            "label": token.label,
            "scopes": token.scopes,
            "created_at": instant(token.created_at),
            "expires_at": instant(token.expires_at),
            "last_used_at": instant(token.last_used_at),
            "last_used_from": token.last_used_from,
        }


class NewTokenFields(TokenFields):
    """A new API token with its text, which nothing can show again."""

    token = serializers.CharField(help_text="The token. Keep it: only its digest is stored.")


class TokenBody(Fields):
    """What can be chosen of an API token."""

    label = LabelField()  # type: ignore[assignment]  # a declared field
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=_SCOPES), min_length=1, max_length=len(_SCOPES)
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When it ends to hold; without, it holds until it is revoked."
    )


_EXAMPLE = {"label": "deploy", "scopes": ["realms:read", "items:publish"], "expires_at": "2030-01-01T00:00:00Z"}


class _Tokens(Resource):
    def issued(self, issued: IssuedToken, location: str) -> Response:
        """Answer with a new token."""
        response = Response({**TokenFields(issued.token).data, "token": issued.text}, status=201)
        response["Location"] = location
        return response

    def wishes(self) -> dict[str, Any]:
        """Return what the body chooses."""
        return {
            "label": self.body.get("label", ""),
            "scopes": [Scope(name) for name in self.body["scopes"]],
            "expires_at": self.body.get("expires_at"),
        }

    @property
    def person(self) -> User:
        """The person who asks; the operation said that there must be one."""
        if self.actor.user is None:
            raise AssertionError("needs_person was checked")
        return self.actor.user


class PersonalTokenList(_Tokens):
    """The API tokens of the person who asks."""

    operations = {
        "GET": Operation(
            "listPersonalTokens",
            "List your API tokens",
            Scope.TOKENS_READ,
            needs_person=True,
            answers=TokenFields,
            query=PageQuery,
            has_pages=True,
        ),
        "POST": Operation(
            "issuePersonalToken",
            "Issue a personal API token",
            Scope.TOKENS_WRITE,
            about="It opens every realm that you may enter, with your role there, as far as its scopes go.",
            needs_person=True,
            takes=TokenBody,
            answers=NewTokenFields,
            status=201,
            example=_EXAMPLE,
        ),
    }

    def get(self, request: Request) -> Response:
        """Answer with a page of tokens, the oldest first."""
        return self.page(list_personal_tokens(self.person))

    def post(self, request: Request) -> Response:
        """Issue one."""
        issued = issue_api_token(issued_by=self.actor, **self.wishes())
        return self.issued(issued, reverse("api:personal-token", args=[issued.token.pk]))


class PersonalTokenDetail(_Tokens):
    """One API token of the person who asks."""

    operations = {
        "GET": Operation(
            "readPersonalToken", "Read an API token of yours", Scope.TOKENS_READ, needs_person=True, answers=TokenFields
        ),
        "DELETE": Operation(
            "revokePersonalToken", "Revoke an API token of yours", Scope.TOKENS_WRITE, needs_person=True, status=204
        ),
    }

    def get(self, request: Request, token_id: int) -> Response:
        """Answer with the token."""
        return self.answer(get_personal_token(self.person, token_id))

    def delete(self, request: Request, token_id: int) -> Response:
        """Revoke it."""
        revoke_personal_token(user=self.person, token_id=token_id)
        return Response(status=204)


class RealmTokenList(_Tokens, RealmResource):
    """The API tokens of a realm."""

    operations = {
        "GET": Operation(
            "listRealmTokens",
            "List a realm's API tokens",
            Scope.TOKENS_READ,
            Role.ADMIN,
            answers=TokenFields,
            query=PageQuery,
            has_pages=True,
        ),
        "POST": Operation(
            "issueRealmToken",
            "Issue an API token of a realm",
            Scope.TOKENS_WRITE,
            Role.ADMIN,
            about="It opens this realm alone, as an admin, as far as its scopes go. It outlives whoever issued it.",
            takes=TokenBody,
            answers=NewTokenFields,
            status=201,
            example=_EXAMPLE,
        ),
    }

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of tokens, the oldest first."""
        return self.page(list_realm_tokens(self.realm))

    def post(self, request: Request, realm_id: str) -> Response:
        """Issue one."""
        issued = issue_api_token(issued_by=self.actor, realm=self.realm, **self.wishes())
        return self.issued(issued, reverse("api:realm-token", args=[self.realm.pk, issued.token.pk]))


class RealmTokenDetail(RealmResource):
    """One API token of a realm."""

    operations = {
        "GET": Operation(
            "readRealmToken", "Read an API token of a realm", Scope.TOKENS_READ, Role.ADMIN, answers=TokenFields
        ),
        "DELETE": Operation(
            "revokeRealmToken", "Revoke an API token of a realm", Scope.TOKENS_WRITE, Role.ADMIN, status=204
        ),
    }

    def get(self, request: Request, realm_id: str, token_id: int) -> Response:
        """Answer with the token."""
        return self.answer(get_realm_token(self.realm, token_id))

    def delete(self, request: Request, realm_id: str, token_id: int) -> Response:
        """Revoke it."""
        revoke_realm_token(realm=self.realm, token_id=token_id)
        return Response(status=204)
