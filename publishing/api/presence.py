"""Who is on a channel, over all edges (docs/topics/presence.md)."""

from typing import Any

import msgspec
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.names import RealmId, parse_channel_name
from fanoutcloud.core.presence import Member
from publishing.api.operations import Operation
from publishing.api.planes import get_plane
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, PageQuery
from realms.roles import Role
from realms.scopes import Scope


class PresentFields(Fields):
    """A user who is there; `info` is what the newest of their tokens says."""

    user = serializers.CharField()

    def to_representation(self, member: Member) -> dict[str, Any]:
        """Return the members of the answer."""
        return {"user": member.user} | ({} if member.info is None else {"info": msgspec.Raw(member.info)})


class PresenceFields(Fields):
    """Users in order of their names, and how many there are in all."""

    items = PresentFields(many=True)
    next = serializers.CharField(allow_null=True)
    count = serializers.IntegerField(help_text="Users, each counted once.")
    anonymous = serializers.IntegerField(help_text="Connections without a user.")
    connections = serializers.IntegerField(help_text="All connections, those without a user, too.")


class PresenceQuery(PageQuery):
    """Whose presence."""

    channel = serializers.CharField(max_length=512, trim_whitespace=False)


class Presence(RealmResource):
    """Who is on a channel."""

    operations = {
        "GET": Operation(
            "readPresence", "Read who is on a channel", Scope.CONNECTIONS_READ, Role.VIEWER,
            about="Where the channel's rule has presence; elsewhere nobody is counted, and the answer is empty.",
            answers=PresenceFields, query=PresenceQuery,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of users."""
        plane, query = get_plane(), self.query
        channel = parse_channel_name(query["channel"], field="channel")
        asked = plane.reads.presence(
            RealmId(self.realm.pk), channel, cursor=query["cursor"] or None, limit=query["limit"]
        )
        page = plane.door.run(asked)
        return Response(
            {
                "items": PresentFields(page.members, many=True).data,
                "next": page.cursor,
                "count": page.count,
                "anonymous": page.anonymous,
                "connections": page.connections,
            }
        )
