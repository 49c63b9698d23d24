"""What refusals, outcomes and ends of connections are called, in words for somebody who did not write this server."""

from typing import NamedTuple

#: Code of an error → what happened; its own words say the cause and the cure.
REFUSED = {
    # of publishers
    "no_credential": "A request came without a credential",
    "bad_credential": "A credential could not be read",
    "wrong_key": "A credential was of no key of this realm",
    "key_revoked": "A publish used a key of this realm that was revoked",
    "forbidden": "A publish used the key of another realm",
    "subscriber_token": "A publish used a subscriber's token",
    "invalid_request": "A request could not be understood",
    "invalid_item": "An item was wrong, so nothing of its request was stored",
    "body_too_large": "A request was too large",
    "item_too_large": "An item was larger than the realm allows",
    "rate_limited": "The realm published faster than it may",
    "egress_limited": "The realm's subscribers were sent more than it may",
    "too_many_failures": "An address failed so often that it is not looked at for a while",
    "method_not_allowed": "A request had the wrong method",
    "not_acceptable": "A client accepts no form of answer that there is",
    "not_found": "A request went to a path where nothing is",
    "unavailable": "A part of the service did not answer",
    # of subscribers
    "no_token": "The channel is private, and no token came",
    "not_allowed": "The token does not allow this channel",
    "bad_token": "A token could not be read",
    "token_too_large": "A token was too long",
    "wrong_algorithm": "A token was signed in a way that is not offered, or not at all",
    "unknown_key": "A token names a key that the realm does not have",
    "wrong_realm": "A token was made for another realm",
    "token_expired": "A token had expired, or the clock of the machine that made it is behind",
    "token_not_yet_valid": "A token does not hold yet, or the clock of the machine that made it is ahead",
    "token_revoked": "A token was revoked",
    "too_many_connections": "The realm has as many connections as it may",
    "too_many_channels": "The realm has as many channels subscribed as it may",
    "too_many_commands": "A client sent more commands than one connection may",
    # of origins
    "origin_tls": "The origin's TLS certificate or handshake failed",
    "origin_dns": "The origin's name was not found",
    "origin_connect_refused": "The origin refused the connection",
    "origin_connect_timeout": "The origin could not be reached in time",
    "origin_timeout": "The origin did not answer in time",
    "origin_blocked": "The origin has an address that is not called",
    "origin_reset": "The origin broke the connection off",
    "origin_http": "The origin's answer was no HTTP",
    "origin_too_large": "The origin's answer was too large",
    "origin_error": "The origin answered with an error",
    "origin_turned_away": "The origin did not accept who asked",
}


class Text(NamedTuple):
    """Of a finding; `{n}` in the cause is the number of recipients."""

    severity: str
    title: str
    cause: str
    cure: str


#: Outcome of an item → finding, where that is worth one.
OUTCOMES = {
    "filtered": Text(
        "notice",
        "A filter kept it back",
        "{n} did not get it: the subscription's filter, or skip-self, does not let it through",
        "change the filter, or publish the tags that it asks for",
    ),
    "no_format": Text(
        "fault",
        "It has no format for their transport",
        "{n} could not get it: the item carries {formats}, and that is nothing for {transports}",
        "add json-object, which all of our own transports carry; holds want http-response, http-stream or ws-message",
    ),
    "subscribed_late": Text(
        "notice",
        "They subscribed too late",
        "{n} subscribed after it was sent, and began there and then",
        "subscribe first, or come with a position (since=, Last-Event-ID); a rule can send the last item to all",
    ),
    "history_too_short": Text(
        "fault",
        "History did not reach back far enough",
        "{n} came back with a position, but what they missed was no longer kept; they were told reset",
        "keep more or longer with a channel rule, and load the state anew when reset comes",
    ),
    "slow": Text(
        "fault",
        "They were too slow",
        "{n} did not take what was sent and were closed; they may come back and resume from their position",
        "send less to each, or look at the network and the code on the receiving side",
    ),
    "waiting": Text(
        "notice",
        "It has not left this server for all",
        "{n} have bytes waiting: their network or their code is slow to take them",
        "look at the connection inspector: who stays behind is closed as slow, and may resume",
    ),
    "on_its_way": Text(
        "notice", "They still read history", "{n} catch up and get it from there", "wait a moment"
    ),
    "gone": Text(
        "notice",
        "They had left before it came",
        "{n} had closed the connection or left the channel shortly before",
        "come back with the last position, and what was missed follows",
    ),
}  # fmt: skip

#: How a known channel's name differs → code, and what to do.
NEAR = {
    "capitals": ("channel_capitals", "capitals matter in channel names", "use the same name on both sides"),
    "blanks": ("channel_blanks", "blanks belong to channel names", "remove the blanks, or use them on both sides"),
    "spelling": ("channel_spelling", "the names differ by a slip", "use the same name on both sides"),
    "wildcard": (
        "channel_wildcard",
        "a name with * is a channel of that very name",
        "publish to whole names; subscribe to many with pattern=prefix* in place of channel=",
    ),
}

#: Close reason → severity and what to do; what happened is in the reason's own words.
CLOSED = {
    "slow": ("fault", "look at the network and the code on the receiving side; resume from the last position"),
    "token_expired": ("fault", "refresh the token before it ends, or come back with a new one"),
    "token_revoked": ("fault", "sign in again and get a new token"),
    "unauthorized": ("fault", "come with a token that holds"),
    "forbidden": ("fault", "make the token with a permission for the channel"),
    "expelled": ("notice", "somebody ended it on purpose; the audit log and the console say who may"),
    "disconnected": ("notice", "somebody had it reconnect"),
    "realm_deleted": ("fault", "the realm is gone, and its keys with it"),
    "protocol_error": ("fault", "use a WebSocket library that keeps to RFC 6455, or smaller messages"),
    "too_many_commands": ("fault", "send fewer commands; subscribe to many channels in the URL at once"),
    "over_limit": ("fault", "wait, or have the limit raised"),
    "draining": ("fine", "the server went down for an update; clients come back and resume by themselves"),
    "unavailable": ("notice", "come back in a moment"),
}


class Unseen(NamedTuple):
    """What no server can see: how to tell, and what to do."""

    code: str
    title: str
    tell: str
    cure: str


UNSEEN = (
    Unseen(
        "mixed_content",
        "The page is HTTPS and connects to http:// or ws://",
        "the browser's console says “mixed content”; nothing arrives here at all",
        "use https:// and wss:// addresses",
    ),
    Unseen(
        "cors_origin",
        "The browser blocks the answer for the page's origin",
        "the browser's console says “blocked by CORS policy”; here the request looks well",
        "our own paths allow every origin; for your origin's answers turn on CORS in the domain's settings, "
        "or send Access-Control-Allow-Origin from the origin",
    ),
    Unseen(
        "buffering_proxy",
        "A proxy in between holds the stream back",
        "the connection is listed here and items count as sent, yet the page gets them late or in lumps",
        "turn buffering off in the proxy (nginx: proxy_buffering off), or use WebSockets",
    ),
    Unseen(
        "wrong_address",
        "The request goes to another host, port or scheme",
        "no attempt is listed here, not even a refused one",
        "compare the address with the one on the realm's page; http:// where https:// is served fails before we see it",
    ),
    Unseen(
        "blocked_websocket",
        "A proxy or firewall blocks WebSockets",
        "the browser says that the handshake failed; no connection is listed here",
        "have the proxy pass Upgrade on, or fall back to SSE or long-polling",
    ),
)
