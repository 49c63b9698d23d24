"""Fanout Cloud for Python: publish, subscribe without losing your place, make tokens, verify webhooks."""

from fanoutcloud_client.clients import AsyncFanout, Fanout
from fanoutcloud_client.errors import (
    BadSignature,
    FanoutError,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotFound,
    SubscriptionClosed,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from fanoutcloud_client.events import (
    ChannelError,
    Event,
    PresenceChange,
    ReceivedItem,
    Reset,
    Subscribed,
    Unsubscribed,
)
from fanoutcloud_client.items import NOTHING, Item, http_response, http_stream, ws_message
from fanoutcloud_client.publishing import Published
from fanoutcloud_client.reading import History, Member, Presence
from fanoutcloud_client.subscriptions import AsyncSubscription, GetToken, State
from fanoutcloud_client.tokens import TokenContents, make_token, read_token
from fanoutcloud_client.transports.link import TransportName
from fanoutcloud_client.version import VERSION
from fanoutcloud_client.webhooks import WebhookEvent, verify_webhook

__all__ = [
    "NOTHING",
    "VERSION",
    "AsyncFanout",
    "AsyncSubscription",
    "BadSignature",
    "ChannelError",
    "Event",
    "Fanout",
    "FanoutError",
    "Forbidden",
    "GetToken",
    "History",
    "InvalidRequest",
    "Item",
    "LimitReached",
    "Member",
    "NotFound",
    "Presence",
    "PresenceChange",
    "Published",
    "ReceivedItem",
    "Reset",
    "State",
    "Subscribed",
    "SubscriptionClosed",
    "TokenContents",
    "TransportName",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Unsubscribed",
    "WebhookEvent",
    "http_response",
    "http_stream",
    "make_token",
    "read_token",
    "verify_webhook",
    "ws_message",
]
