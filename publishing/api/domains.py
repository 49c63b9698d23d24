"""Domains of a realm: the names that it claims or has, and where their requests go."""

from typing import Any

import msgspec
from asgiref.sync import async_to_sync
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.domains import Domain
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, Nothing, instant
from realms.domain_documents import read_domain, write_document
from realms.models import RealmDomain
from realms.proofs import FILE_PATH, RECORD_LABEL
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import domain_name_in_path, list_domains
from realms.services import claim_domain, remove_domain, set_up_domain
from realms.services.domains import get_domain
from realms.services.proving import prove_domain

#: How the API calls the domain that every realm has.
BUILT_IN = "default"


class OriginFields(Fields):
    """A server that requests are passed on to."""

    is_part_of_body = True

    host = serializers.CharField(max_length=253)
    port = serializers.IntegerField(min_value=1, max_value=65_535)
    is_tls = serializers.BooleanField(required=False)


class RouteFields(Fields):
    """What happens to requests whose path begins with `prefix`."""

    is_part_of_body = True

    prefix = serializers.CharField(max_length=1000, required=False, help_text="Such as `/chat/`.")
    origins = OriginFields(many=True, required=False)
    path = serializers.CharField(max_length=1000, allow_null=True, required=False, help_text="Replaces the prefix.")
    protocol = serializers.ChoiceField(choices=["any", "http", "ws"], required=False)
    is_tls = serializers.BooleanField(allow_null=True, required=False)


class ForwardedForFields(Fields):
    """What becomes of X-Forwarded-For."""

    is_part_of_body = True

    keep = serializers.IntegerField(min_value=0, max_value=20, required=False)
    appends_peer = serializers.BooleanField(required=False)


class DomainSettings(Fields):
    """What can be set for a domain."""

    origins = OriginFields(many=True, required=False)
    routes = RouteFields(many=True, required=False)
    is_websocket_over_http = serializers.BooleanField(required=False)
    rewrites_host = serializers.BooleanField(required=False)
    host_header = serializers.CharField(max_length=1000, allow_null=True, required=False)
    extra_headers = serializers.ListField(
        child=serializers.ListField(
            child=serializers.CharField(max_length=1000, allow_blank=True), min_length=2, max_length=2
        ),
        required=False,
        max_length=20,
        help_text="Pairs of name and value; an empty value removes the header.",
    )
    forwarded_for = ForwardedForFields(required=False)
    cross_origin = serializers.ChoiceField(choices=["off", "auto"], required=False)
    has_json_p = serializers.BooleanField(required=False)
    is_debug = serializers.BooleanField(required=False)
    signature_key_id = serializers.CharField(max_length=40, allow_null=True, required=False)


class DomainBody(Fields):
    """A name to claim."""

    name = serializers.CharField(max_length=253)


class DomainFields(DomainSettings):
    """A domain, how it is proven, and what is set for it."""

    name = serializers.CharField(help_text="`default` is the one that every realm has.")
    is_proven = serializers.BooleanField(help_text="Whether the name serves.")
    proof = serializers.CharField(allow_blank=True, help_text="`dns`, `http` or `local`.")
    problem = serializers.CharField(allow_blank=True, help_text="Why the last look found no proof.")
    dns_record = serializers.CharField(
        allow_null=True, help_text="Where a TXT record with the challenge proves the name."
    )
    http_file = serializers.CharField(allow_null=True, help_text="Where a file with the challenge proves the name.")
    challenge = serializers.CharField(allow_blank=True)
    checked_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, row: RealmDomain) -> dict[str, Any]:
        """Return the members of the answer."""
        known = {
            "name": row.name or BUILT_IN,
            "is_proven": row.is_proven,
            "proof": row.proof,
            "problem": row.problem,
            "dns_record": f"{RECORD_LABEL}.{row.name}" if row.name else None,
            "http_file": f"http://{row.name}{FILE_PATH}{row.challenge}" if row.name else None,
            "challenge": row.challenge if row.name else "",
            "checked_at": instant(row.checked_at),
        }
        return known | write_document(read_domain(row))


class DomainsFields(Fields):
    """All domains of a realm; the built-in one first."""

    items = DomainFields(many=True)


class _DomainResource(RealmResource):
    @property
    def domain(self) -> RealmDomain:
        """The domain that the address names."""
        name = domain_name_in_path(self.realm, str(self.kwargs["domain"]))
        return get_domain(realm=self.realm, name=name)


class DomainList(RealmResource):
    """The domains of a realm."""

    operations = {
        "GET": Operation(
            "listDomains", "List domains", Scope.DOMAINS_READ, Role.VIEWER,
            about="All of them: there are few.", answers=DomainsFields,
        ),
        "POST": Operation(
            "claimDomain", "Claim a domain", Scope.DOMAINS_WRITE, Role.ADMIN,
            about="It serves once it is proven: put the challenge where `dns_record` or `http_file` says, then check.",
            takes=DomainBody, answers=DomainFields, status=201, example={"name": "push.example.com"},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with all domains."""
        return Response({"items": DomainFields(list_domains(self.realm), many=True).data})

    def post(self, request: Request, realm_id: str) -> Response:
        """Claim one."""
        row = claim_domain(realm=self.realm, name=self.body["name"])
        return self.answer(row, location=reverse("api:domain", args=[self.realm.pk, row.name]))


class DomainDetail(_DomainResource):
    """One domain."""

    has_state = True
    operations = {
        "GET": Operation("readDomain", "Read a domain", Scope.DOMAINS_READ, Role.VIEWER, answers=DomainFields),
        "PATCH": Operation(
            "setUpDomain", "Set up a domain", Scope.DOMAINS_WRITE, Role.ADMIN,
            about="What is left out stays.", takes=DomainSettings, answers=DomainFields,
            example={"origins": [{"host": "app.example.com", "port": 443, "is_tls": True}]},
        ),
        "DELETE": Operation("removeDomain", "Give a domain up", Scope.DOMAINS_WRITE, Role.ADMIN, status=204),
    }  # fmt: skip

    def current(self) -> Any:
        """Return the domain as GET does."""
        return DomainFields(self.domain).data

    def get(self, request: Request, realm_id: str, domain: str) -> Response:
        """Answer with the domain."""
        return self.answer(self.domain)

    def patch(self, request: Request, realm_id: str, domain: str) -> Response:
        """Change what came."""
        row = self.domain
        settings = msgspec.convert({**write_document(read_domain(row)), **self.body}, Domain)
        set_up_domain(realm=self.realm, name=row.name, domain=settings)
        return self.answer(self.domain)

    def delete(self, request: Request, realm_id: str, domain: str) -> Response:
        """Give it up."""
        remove_domain(realm=self.realm, name=self.domain.name)
        return Response(status=204)


class DomainCheck(_DomainResource):
    """Looking for a domain's proof."""

    operations = {
        "POST": Operation(
            "checkDomain", "Look for a domain's proof now", Scope.DOMAINS_WRITE, Role.ADMIN,
            about="Takes up to 25 seconds. It is looked for by itself, too, every few minutes at first.",
            takes=Nothing, answers=DomainFields, is_repeatable=False,
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str, domain: str) -> Response:
        """Look, and answer with what was found."""
        row = self.domain
        return self.answer(async_to_sync(prove_domain)(row) if row.name else row)
