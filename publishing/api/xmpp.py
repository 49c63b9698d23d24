"""Who may administer a realm over XMPP, and who gets whole stanzas there."""

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.names import MAX_CHANNEL_NAME_BYTES
from fanoutcloud.outbound.gate import MAX_URL_CHARACTERS
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, PageQuery
from realms.models import XmppReceiver
from realms.models.xmpp import MAX_ADDRESS_CHARACTERS
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import get_xmpp_admin, get_xmpp_receiver, list_xmpp_admins, list_xmpp_receivers
from realms.services import (
    add_xmpp_admin,
    add_xmpp_receiver,
    allow_stanzas,
    remove_xmpp_admin,
    remove_xmpp_receiver,
    set_stanza_url,
)


class XmppAdminBody(Fields):
    """An address to let in."""

    address = serializers.CharField(
        max_length=MAX_ADDRESS_CHARACTERS, help_text="`ops@example.org`, or `@example.org` for everybody there."
    )


class XmppAdminFields(XmppAdminBody):
    """An address on the list."""

    id = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class XmppBody(Fields):
    """What is set for XMPP."""

    sends_stanzas = serializers.BooleanField(help_text="Whether items bring whole stanzas (`xmpp-stanza`).")
    stanza_url = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_URL_CHARACTERS,
        help_text="Where stanzas to `REALM@stanza.DOMAIN` are posted; empty: nowhere. Left out, it stays.",
    )


class XmppAdminList(RealmResource):
    """The realm's XMPP admins."""

    operations = {
        "GET": Operation(
            "listXmppAdmins", "List XMPP admins", Scope.KEYS_READ, Role.VIEWER,
            answers=XmppAdminFields, query=PageQuery, has_pages=True,
        ),
        "POST": Operation(
            "addXmppAdmin", "Let an XMPP address administer the realm", Scope.KEYS_WRITE, Role.ADMIN,
            about="It may do by stanza what the API can. A domain lets in everybody who has an address there.",
            takes=XmppAdminBody, answers=XmppAdminFields, status=201, example={"address": "ops@example.org"},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of addresses, the oldest first."""
        return self.page(list_xmpp_admins(self.realm))

    def post(self, request: Request, realm_id: str) -> Response:
        """Add one."""
        row = add_xmpp_admin(realm=self.realm, address=self.body["address"])
        return self.answer(row, location=reverse("api:xmpp-admin", args=[self.realm.pk, row.pk]))


class XmppAdminDetail(RealmResource):
    """One XMPP admin."""

    operations = {
        "GET": Operation(
            "readXmppAdmin", "Read an XMPP admin", Scope.KEYS_READ, Role.VIEWER, answers=XmppAdminFields
        ),
        "DELETE": Operation(
            "removeXmppAdmin", "Take an XMPP address off the list", Scope.KEYS_WRITE, Role.ADMIN,
            about="What it has subscribed to as an admin ends.", status=204,
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, admin_id: int) -> Response:
        """Answer with the address."""
        return self.answer(get_xmpp_admin(self.realm, admin_id))

    def delete(self, request: Request, realm_id: str, admin_id: int) -> Response:
        """Remove it."""
        remove_xmpp_admin(realm=self.realm, admin_id=admin_id)
        return Response(status=204)


class XmppReceiverBody(Fields):
    """An address, and a channel whose stanzas it is to get."""

    channel = serializers.CharField(max_length=MAX_CHANNEL_NAME_BYTES)
    address = serializers.CharField(max_length=MAX_ADDRESS_CHARACTERS, help_text="`ops@example.org`.")


class XmppReceiverFields(XmppReceiverBody):
    """An address that was added, and how it stands with it."""

    id = serializers.IntegerField()
    address = serializers.CharField(source="receiver.address")
    state = serializers.ChoiceField(
        XmppReceiver.State.choices,
        source="receiver.state",
        help_text="`pending`: it was asked whether it wants that. Only an `active` one gets anything.",
    )
    state_reason = serializers.CharField(source="receiver.state_reason")
    created_at = serializers.DateTimeField()


class XmppReceiverQuery(PageQuery):
    """Which part of the list, and of which channel."""

    channel = serializers.CharField(required=False, default="", allow_blank=True, max_length=MAX_CHANNEL_NAME_BYTES)


class XmppReceiverList(RealmResource):
    """Addresses that get stanzas without having subscribed."""

    operations = {
        "GET": Operation(
            "listXmppSubscribers", "List XMPP addresses that were added as subscribers", Scope.RULES_READ, Role.VIEWER,
            answers=XmppReceiverFields, query=XmppReceiverQuery, has_pages=True,
        ),
        "POST": Operation(
            "addXmppSubscriber", "Send a channel's stanzas to an XMPP address", Scope.RULES_WRITE,
            about="It gets the `xmpp-stanza` of each item. The realm's own accounts get it at once, others are asked "
            "first. One that is paused goes on.",
            takes=XmppReceiverBody, answers=XmppReceiverFields, status=201,
            example={"channel": "door/front", "address": "ops@example.org"},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of addresses, the oldest first."""
        return self.page(list_xmpp_receivers(self.realm, channel=self.query["channel"]))

    def post(self, request: Request, realm_id: str) -> Response:
        """Add one."""
        row = add_xmpp_receiver(realm=self.realm, channel=self.body["channel"], address=self.body["address"])
        return self.answer(row, location=reverse("api:xmpp-subscriber", args=[self.realm.pk, row.pk]))


class XmppReceiverDetail(RealmResource):
    """One XMPP address with one channel."""

    operations = {
        "GET": Operation(
            "readXmppSubscriber", "Read an XMPP address that was added", Scope.RULES_READ, Role.VIEWER,
            answers=XmppReceiverFields,
        ),
        "DELETE": Operation(
            "removeXmppSubscriber", "Send a channel's stanzas to an XMPP address no more", Scope.RULES_WRITE,
            about="What it has answered is remembered: added again, it is not asked again.", status=204,
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, receiver_channel_id: int) -> Response:
        """Answer with the address."""
        return self.answer(get_xmpp_receiver(self.realm, receiver_channel_id))

    def delete(self, request: Request, realm_id: str, receiver_channel_id: int) -> Response:
        """Remove it."""
        remove_xmpp_receiver(realm=self.realm, receiver_channel_id=receiver_channel_id)
        return Response(status=204)


class XmppSettings(RealmResource):
    """What is set for XMPP."""

    operations = {
        "GET": Operation("readXmpp", "Read what is set for XMPP", Scope.RULES_READ, Role.VIEWER, answers=XmppBody),
        "PUT": Operation(
            "setXmpp", "Set whether items bring whole stanzas, and where stanzas are posted", Scope.RULES_WRITE,
            Role.ADMIN, about="Without whole stanzas, subscribers over XMPP get the JSON of items that have both.",
            takes=XmppBody, answers=XmppBody, example={"sends_stanzas": True},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with what is set."""
        return self.answer(self.realm)

    def put(self, request: Request, realm_id: str) -> Response:
        """Set it."""
        if "stanza_url" in self.body:
            set_stanza_url(realm=self.realm, url=self.body["stanza_url"])
        allow_stanzas(realm=self.realm, is_allowed=self.body["sends_stanzas"])
        return self.answer(self.realm)
