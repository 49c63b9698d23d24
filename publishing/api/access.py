"""What subscribers' tokens open: revocations, and the public keys that customers sign with."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.claims import MAX_TOKEN_ID_CHARACTERS, MAX_USER_CHARACTERS
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, LabelField, PageQuery, instant
from realms.access import examine
from realms.models import Revocation, TokenKeySet
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import get_revocation, get_token_keys, list_revocations, list_token_keys
from realms.services import add_token_keys, remove_token_keys, revoke_token, revoke_user, withdraw_revocation
from realms.services.token_keys import MAX_ISSUER_CHARACTERS

_KINDS = [(kind.value, kind.label) for kind in Revocation.Kind]


class RevocationFields(Fields):
    """A token, or all tokens of a user issued until then, taken back."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=_KINDS)
    name = serializers.CharField(help_text="The token's `jti`, or the user.")
    revoked_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="When the last such token has expired by itself.")

    def to_representation(self, row: Revocation) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "id": row.pk,
            "kind": row.kind,
            "name": row.name,
            "revoked_at": instant(row.revoked_at),
            "expires_at": instant(row.expires_at),
        }


class TokenRevocationBody(Fields):
    """Which token to take back."""

    token_id = serializers.CharField(max_length=MAX_TOKEN_ID_CHARACTERS, trim_whitespace=False, help_text="Its `jti`.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Its `exp`, if you know it.")


class UserRevocationBody(Fields):
    """Whose tokens to take back."""

    user = serializers.CharField(
        max_length=MAX_USER_CHARACTERS, trim_whitespace=False, help_text="The `sub` of tokens."
    )


class KeySetFields(Fields):
    """Public keys that a customer signs tokens with."""

    id = serializers.IntegerField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a declared field
    issuer = serializers.CharField(allow_blank=True)
    document = serializers.CharField()
    created_at = serializers.DateTimeField()

    def to_representation(self, row: TokenKeySet) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "id": row.pk,
            "label": row.label,
            "issuer": row.issuer,
            "document": row.document,
            "created_at": instant(row.created_at),
        }


class KeySetBody(Fields):
    """Public keys to accept."""

    document = serializers.CharField(max_length=65_536, help_text="A JWK set, or one JWK, as text.")
    issuer = serializers.CharField(
        max_length=MAX_ISSUER_CHARACTERS,
        required=False,
        allow_blank=True,
        help_text="What their tokens' `iss` must be.",
    )
    label = LabelField()  # type: ignore[assignment]  # a declared field


class RevocationList(RealmResource):
    """What is taken back."""

    operations = {
        "GET": Operation(
            "listRevocations", "List revocations", Scope.ACCESS_READ, Role.VIEWER,
            answers=RevocationFields, query=PageQuery, has_pages=True,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of revocations, the oldest first."""
        return self.page(list_revocations(self.realm))


class RevocationDetail(RealmResource):
    """One revocation."""

    operations = {
        "GET": Operation(
            "readRevocation", "Read a revocation", Scope.ACCESS_READ, Role.VIEWER, answers=RevocationFields
        ),
        "DELETE": Operation(
            "withdrawRevocation", "Let revoked tokens hold again", Scope.ACCESS_WRITE,
            about="Those that have not expired by themselves.", status=204,
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, revocation_id: int) -> Response:
        """Answer with the revocation."""
        return self.answer(get_revocation(self.realm, revocation_id))

    def delete(self, request: Request, realm_id: str, revocation_id: int) -> Response:
        """Withdraw it."""
        withdraw_revocation(realm=self.realm, revocation_id=revocation_id)
        return Response(status=204)


class _Revoking(RealmResource):
    def revoked(self, row: Revocation) -> Response:
        """Answer with a new revocation."""
        return self.answer(row, location=reverse("api:revocation", args=[self.realm.pk, row.pk]))


class TokenRevocation(_Revoking):
    """Taking one token back."""

    operations = {
        "POST": Operation(
            "revokeToken", "Revoke a subscriber token", Scope.ACCESS_WRITE,
            about="It opens nothing any more, and connections that came by it end, on all edges within a second.",
            takes=TokenRevocationBody, answers=RevocationFields, status=201, example={"token_id": "a1b2c3"},
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str) -> Response:
        """Revoke it."""
        expires_at = self.body.get("expires_at")
        return self.revoked(revoke_token(realm=self.realm, token_id=self.body["token_id"], expires_at=expires_at))


class UserRevocation(_Revoking):
    """Taking all tokens of a user back."""

    operations = {
        "POST": Operation(
            "revokeUser", "Revoke a user's subscriber tokens", Scope.ACCESS_WRITE,
            about="All that were issued until now; those issued later hold.",
            takes=UserRevocationBody, answers=RevocationFields, status=201, example={"user": "42"},
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str) -> Response:
        """Revoke them."""
        return self.revoked(revoke_user(realm=self.realm, user=self.body["user"]))


class KeySetList(RealmResource):
    """Public keys of customers."""

    operations = {
        "GET": Operation(
            "listTokenKeys", "List public keys for tokens", Scope.ACCESS_READ, Role.VIEWER,
            answers=KeySetFields, query=PageQuery, has_pages=True,
        ),
        "POST": Operation(
            "addTokenKeys", "Accept tokens signed with other keys", Scope.KEYS_WRITE,
            about="RS256, ES256 and EdDSA. Tokens signed with the private halves open what they say, as those signed "
            "with a realm key do.",
            takes=KeySetBody, answers=KeySetFields, status=201,
            example={"document": '{"keys": []}', "issuer": "https://login.example.com", "label": "login"},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of key sets, the oldest first."""
        return self.page(list_token_keys(self.realm))

    def post(self, request: Request, realm_id: str) -> Response:
        """Add one."""
        row = add_token_keys(realm=self.realm, **self.body)
        return self.answer(row, location=reverse("api:token-key-set", args=[self.realm.pk, row.pk]))


class KeySetDetail(RealmResource):
    """One set of public keys."""

    operations = {
        "GET": Operation(
            "readTokenKeys", "Read public keys for tokens", Scope.ACCESS_READ, Role.VIEWER, answers=KeySetFields
        ),
        "DELETE": Operation(
            "removeTokenKeys", "Accept these keys no more", Scope.KEYS_WRITE, Role.ADMIN,
            about="Connections that came by their tokens end.", status=204,
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, key_set_id: int) -> Response:
        """Answer with the key set."""
        return self.answer(get_token_keys(self.realm, key_set_id))

    def delete(self, request: Request, realm_id: str, key_set_id: int) -> Response:
        """Remove it."""
        remove_token_keys(realm=self.realm, key_set_id=key_set_id)
        return Response(status=204)


class DoctorBody(Fields):
    """A subscriber's token to look at. It is kept nowhere."""

    token = serializers.CharField(max_length=16_384, trim_whitespace=False)
    channel = serializers.CharField(max_length=512, required=False, allow_blank=True, trim_whitespace=False)


class CheckFields(Fields):
    """One step of the examination."""

    name = serializers.CharField()
    outcome = serializers.CharField(help_text="`passed`, `failed`, or `skipped`.")
    message = serializers.CharField(allow_blank=True)
    cure = serializers.CharField(allow_blank=True)
    code = serializers.CharField(allow_blank=True)


class AbilityFields(Fields):
    """Whether the token allows something on the channel."""

    capability = serializers.CharField()
    is_allowed = serializers.BooleanField()
    by = serializers.CharField()


class DoctorFields(Fields):
    """What the doctor found."""

    holds = serializers.BooleanField()
    checks = CheckFields(many=True)
    header = serializers.CharField(allow_blank=True)
    claims = serializers.CharField(allow_blank=True)
    abilities = AbilityFields(many=True)


class TokenDoctor(RealmResource):
    """What a subscriber's token is good for."""

    operations = {
        "POST": Operation(
            "examineToken", "Examine a subscriber token", Scope.ACCESS_READ,
            about="Step by step: what it says, what it allows on a channel, and why it fails.",
            takes=DoctorBody, answers=DoctorFields, is_repeatable=False,
            example={"token": "eyJhbGciOiJIUzI1NiJ9.e30.AA", "channel": "orders.7"},
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str) -> Response:
        """Answer with what was found."""
        report = examine(self.realm, self.body["token"], channel=self.body.get("channel", ""))
        found = report.examination
        fields = ("name", "outcome", "message", "cure", "code")
        return Response(
            {
                "holds": found.holds,
                "checks": [{name: getattr(check, name) for name in fields} for check in found.checks],
                "header": found.header,
                "claims": found.claims,
                "abilities": [
                    {"capability": ability.capability, "is_allowed": ability.is_allowed, "by": ability.by}
                    for ability in report.abilities
                ],
            }
        )
