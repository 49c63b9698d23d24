"""The delivery plane, over all edges: channels, history, connections; ending connections (docs/topics/reads.md)."""

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.activity import TRANSPORTS
from fanoutcloud.core.errors import InvalidRequest, NotFound
from fanoutcloud.core.names import ChannelName, RealmId, parse_channel_name
from fanoutcloud.core.reads import MAX_HISTORY_PAGE, MAX_REASON_BYTES, ConnectionInfo, KeptItem, Whose
from fanoutcloud.core.streams import parse_position
from publishing.api.operations import Operation
from publishing.api.planes import get_plane
from publishing.api.resources import RealmResource
from publishing.api.rules import ChannelQuery
from publishing.api.serializers import CursorField, Fields, PageQuery, instant
from realms.roles import Role
from realms.scopes import Scope

MAX_NAME_CHARACTERS = 512


class ConnectionNotFound(NotFound):
    """No edge that answered has this connection."""

    code = "connection_not_found"

    def __init__(self) -> None:
        super().__init__("the realm has no such connection", cure="it may have ended; list the connections")


class MissingEdges(Fields):
    """What every answer about all edges says."""

    missing = serializers.ListField(
        child=serializers.CharField(), help_text="Edges that did not answer in time; empty: this is all."
    )


class ItemFields(Fields):
    """An item in history: `data`, `text` or `base64`, as subscribers get it."""

    position = serializers.CharField()
    id = serializers.CharField(required=False)
    published_at = serializers.DateTimeField()
    formats = serializers.ListField(child=serializers.CharField())
    text = serializers.CharField(required=False)
    base64 = serializers.CharField(required=False)

    def to_representation(self, kept: KeptItem) -> dict[str, Any]:
        """Return the members of the answer."""
        return describe_item(kept)


class ChannelCountFields(Fields):
    """A channel that has subscribers."""

    channel = serializers.CharField()
    subscribers = serializers.IntegerField()
    by_transport = serializers.DictField(child=serializers.IntegerField())


class ChannelListFields(MissingEdges):
    """Channels in order of their names."""

    items = ChannelCountFields(many=True)
    next = serializers.CharField(allow_null=True)


class ChannelFields(ChannelCountFields, MissingEdges):
    """One channel."""

    position = serializers.CharField(allow_null=True, help_text="Its newest; null: nobody has used it lately.")
    last_item = ItemFields(allow_null=True)


class HistoryFields(Fields):
    """Kept items, in the order asked for."""

    items = ItemFields(many=True)
    position = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()
    lost = serializers.CharField(allow_null=True, help_text="Why items before these are missing, if some are.")


class PlaceFields(Fields):
    """How far a connection is in a channel."""

    channel = serializers.CharField()
    position = serializers.CharField(allow_blank=True)
    behind = serializers.IntegerField(help_text="Items of the channel that it has not been sent yet.")


class ConnectionFields(Fields):
    """An open connection."""

    id = serializers.CharField()
    edge = serializers.CharField()
    transport = serializers.CharField()
    user = serializers.CharField(allow_blank=True)
    address = serializers.CharField(allow_blank=True)
    connected_at = serializers.DateTimeField()
    unsent_bytes = serializers.IntegerField(help_text="What waits to be sent: how far it is behind.")
    acked_bytes = serializers.IntegerField(
        allow_null=True, help_text="What has arrived at the other end since its TCP connection was opened."
    )
    round_trip_ms = serializers.FloatField(allow_null=True, help_text="The way to the other end and back.")
    channels = PlaceFields(many=True)

    def to_representation(self, connection: ConnectionInfo) -> dict[str, Any]:
        """Return the members of the answer."""
        info = {} if connection.info is None else {"info": msgspec.Raw(connection.info)}
        return info | {
            "id": connection.connection,
            "edge": connection.edge,
            "transport": connection.transport,
            "user": connection.user,
            "address": connection.address,
            "connected_at": _moment(connection.connected_at),
            "unsent_bytes": connection.unsent_bytes,
            "acked_bytes": connection.acked_bytes,
            "round_trip_ms": None if connection.round_trip_s is None else round(connection.round_trip_s * 1000, 3),
            "channels": [
                {"channel": place.channel, "position": place.position, "behind": place.behind}
                for place in connection.channels
            ],
        }


class ConnectionListFields(MissingEdges):
    """Connections in order of their names."""

    items = ConnectionFields(many=True)
    next = serializers.CharField(allow_null=True)


class DisconnectBody(Fields):
    """Whose connections to end: one of the three."""

    connection = serializers.CharField(max_length=100, required=False, trim_whitespace=False)
    user = serializers.CharField(max_length=256, required=False, trim_whitespace=False)
    channel = serializers.CharField(max_length=MAX_NAME_CHARACTERS, required=False, trim_whitespace=False)
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_REASON_BYTES, help_text="What clients are told."
    )
    may_reconnect = serializers.BooleanField(required=False, help_text="Whether clients are to come back.")


class DisconnectedFields(MissingEdges):
    """What is being ended."""

    connections = serializers.IntegerField()


class ChannelsQuery(PageQuery):
    """Which channels."""

    prefix = serializers.CharField(required=False, default="", allow_blank=True, max_length=MAX_NAME_CHARACTERS)


class ConnectionsQuery(PageQuery):
    """Which connections."""

    channel = serializers.CharField(required=False, max_length=MAX_NAME_CHARACTERS, trim_whitespace=False)
    user = serializers.CharField(required=False, max_length=256, trim_whitespace=False)
    transport = serializers.ChoiceField(required=False, choices=TRANSPORTS)
    behind = serializers.BooleanField(required=False, help_text="Only those to which something waits to be sent.")


class HistoryQuery(ChannelQuery):
    """Which part of a channel's history."""

    before = CursorField(required=False, help_text="A position: older items, newest first.")
    after = CursorField(required=False, help_text="A position: newer items, oldest first.")
    limit = serializers.IntegerField(required=False, default=MAX_HISTORY_PAGE, min_value=1, max_value=MAX_HISTORY_PAGE)


class _Delivery(RealmResource):
    @property
    def realm_id(self) -> RealmId:
        """The realm, as the delivery plane calls it."""
        return RealmId(self.realm.pk)

    def channel(self, given: dict[str, Any]) -> ChannelName | None:
        """Return the channel that was named, if one was."""
        return parse_channel_name(given["channel"], field="channel") if "channel" in given else None


class ChannelList(_Delivery):
    """Channels that have subscribers."""

    operations = {
        "GET": Operation(
            "listChannels", "List channels that have subscribers", Scope.CONNECTIONS_READ, Role.VIEWER,
            answers=ChannelListFields, query=ChannelsQuery,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of channels."""
        plane, query = get_plane(), self.query
        asked = plane.reads.channels(
            self.realm_id, prefix=query["prefix"], cursor=query["cursor"] or None, limit=query["limit"]
        )
        page = plane.door.run(asked)
        items = [
            {"channel": row.channel, "subscribers": row.subscribers, "by_transport": row.by_transport}
            for row in page.channels
        ]
        return Response({"items": items, "next": page.cursor, "missing": list(page.missing)})


class ChannelDetail(_Delivery):
    """One channel."""

    operations = {
        "GET": Operation(
            "readChannel", "Read a channel", Scope.CONNECTIONS_READ, Role.VIEWER,
            about="Subscribers by transport, the newest position, the last item.", answers=ChannelFields,
            query=ChannelQuery,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with the channel."""
        plane = get_plane()
        info = plane.door.run(plane.reads.channel_info(self.realm_id, ChannelName(self.channel(self.query) or "")))
        return Response(
            {
                "channel": info.channel,
                "subscribers": info.subscribers,
                "by_transport": info.by_transport,
                "position": None if info.position is None else str(info.position),
                "last_item": None if info.last_item is None else describe_item(info.last_item),
                "missing": list(info.missing),
            }
        )


class History(_Delivery):
    """What a channel keeps."""

    operations = {
        "GET": Operation(
            "readHistory", "Read a channel's history", Scope.ITEMS_READ, Role.VIEWER,
            about="From the newest backwards, or from a position in either direction.",
            answers=HistoryFields, query=HistoryQuery,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of items."""
        plane, query = get_plane(), self.query
        if "before" in query and "after" in query:
            raise InvalidRequest("before and after exclude each other", cure="send one of them", field="before")
        places = {name: parse_position(query[name], field=name) for name in ("before", "after") if name in query}
        channel = ChannelName(self.channel(query) or "")
        page = plane.door.run(plane.reads.history(self.realm_id, channel, limit=query["limit"], **places))
        return Response(
            {
                "items": [describe_item(kept) for kept in page.items],
                "position": None if page.position is None else str(page.position),
                "has_more": page.has_more,
                "lost": page.lost,
            }
        )


class ConnectionList(_Delivery):
    """Open connections."""

    operations = {
        "GET": Operation(
            "listConnections", "List connections", Scope.CONNECTIONS_READ, Role.VIEWER,
            about="All, or those of a channel, of a user, of a transport, or of all three.",
            answers=ConnectionListFields,
            query=ConnectionsQuery,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of connections."""
        plane, query = get_plane(), self.query
        asked = plane.reads.connections(
            self.realm_id,
            channel=self.channel(query),
            user=query.get("user"),
            transport=query.get("transport"),
            behind_only=query.get("behind", False),
            cursor=query["cursor"] or None,
            limit=query["limit"],
        )
        page = plane.door.run(asked)
        items = ConnectionFields(page.connections, many=True).data
        return Response({"items": items, "next": page.cursor, "missing": list(page.missing)})


class ConnectionDetail(_Delivery):
    """One connection."""

    operations = {
        "GET": Operation(
            "readConnection", "Read a connection", Scope.CONNECTIONS_READ, Role.VIEWER, answers=ConnectionFields
        )
    }

    def get(self, request: Request, realm_id: str, connection: str) -> Response:
        """Answer with the connection."""
        plane = get_plane()
        found = plane.door.run(plane.reads.connection(self.realm_id, connection))
        if found.connection is None:
            raise ConnectionNotFound
        return self.answer(found.connection)


class Disconnect(_Delivery):
    """Ending connections."""

    operations = {
        "POST": Operation(
            "disconnect", "End connections", Scope.CONNECTIONS_WRITE,
            about="One connection, a user's, or those that have a channel. They are ended at a pace, after the answer. "
            "Nothing keeps a client from coming back: revoke its token for that.",
            takes=DisconnectBody, answers=DisconnectedFields, is_repeatable=False,
            example={"user": "42", "reason": "signed out"},
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str) -> Response:
        """End them."""
        plane, body = get_plane(), self.body
        if sum(name in body for name in ("connection", "user", "channel")) != 1:
            raise InvalidRequest("names none or several of connection, user, channel", cure="name one", field="body")
        reason: str = body.get("reason", "")
        if len(reason.encode()) > MAX_REASON_BYTES:
            raise InvalidRequest(f"is longer than {MAX_REASON_BYTES} bytes", cure="use a shorter one", field="reason")
        whose = Whose(connection=body.get("connection"), user=body.get("user"), channel=self.channel(body))
        asked = plane.reads.disconnect(
            self.realm_id, whose, reason=reason, may_reconnect=body.get("may_reconnect", False)
        )
        done = plane.door.run(asked)
        return Response({"connections": done.connections, "missing": list(done.missing)})


def describe_item(kept: KeptItem) -> dict[str, Any]:
    """Return an item as history shows it."""
    item = kept.item
    known: dict[str, Any] = {
        "position": str(kept.position),
        "published_at": _moment(kept.published_at),
        "formats": item.formats,
    }
    if item.id is not None:
        known["id"] = item.id
    if item.json_object is not None:
        return known | {"data": msgspec.Raw(item.json_object)}
    try:
        return known | {"text": item.first_content.decode()}
    except UnicodeDecodeError:
        return known | {"base64": base64.b64encode(item.first_content).decode()}


def _moment(seconds: float) -> str | None:
    return instant(datetime.fromtimestamp(seconds, UTC))
