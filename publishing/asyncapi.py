"""The AsyncAPI document: what goes over the wire between a realm's site and its subscribers, in both directions.

Source of the words: docs/api/subscribe.md. Served at `/api/v1/asyncapi.json`; tests hold real traffic against it.
"""

from functools import cache
from typing import Any

Schema = dict[str, Any]  # a part of the document: open mappings, as AsyncAPI and JSON Schema have them

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_CHANNEL: Schema = {"type": "string", "minLength": 1, "maxLength": 512}
_POSITION: Schema = {"type": "string", "pattern": "^[A-Za-z0-9]+:[0-9]+$"}
_CURSOR: Schema = {"type": "string", "description": "Positions with commas, one for each channel."}
_TAGS: Schema = {"type": "object"}
_PERSON: Schema = {"type": "object", "required": ["user"], "properties": {"user": _TEXT, "info": {}}}
_PEOPLE: Schema = {"type": "array", "items": _PERSON}


def _message(type_: str, about: str, required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    properties = {"type": {"const": type_}, **required, **(optional or {})}
    return {
        "name": type_,
        "summary": about,
        "contentType": "application/json",
        "payload": {"type": "object", "required": ["type", *required], "properties": properties},
    }


def _either(type_: str, about: str, channel: dict[str, Schema], more: dict[str, Schema] | None = None) -> Schema:
    """A message about a channel, or about a pattern of channels."""
    message = _message(type_, about, {}, {**channel, "pattern": _TEXT, **(more or {})})
    message["payload"]["oneOf"] = [{"required": list(channel)}, {"required": ["pattern"]}]
    return message


def _item() -> Schema:
    content = {"data": {}, "text": _TEXT, "base64": {"type": "string", "contentEncoding": "base64"}}
    more = {"id": _TEXT, "tags": _TAGS, "user": _TEXT}
    message = _message("item", "An item.", {"channel": _CHANNEL, "position": _POSITION}, {**more, **content})
    message["payload"]["oneOf"] = [{"required": [name]} for name in content]
    return message


_ERROR = {"code": _TEXT, "message": _TEXT, "cure": _TEXT}
_ERROR_MORE = {"field": _TEXT, "channel": _TEXT, "pattern": _TEXT, "id": _TEXT, "limit": _TEXT, "retry_after_s": _COUNT}

#: What the server says, on every transport.
RECEIVED: dict[str, Schema] = {
    "welcome": _message(
        "welcome",
        "The first message.",
        {"realm": _TEXT, "connection": _TEXT, "keep_alive_s": {"type": "number"}},
        {"user": _TEXT, "expires_in_s": {"type": ["number", "null"]}},
    ),
    "subscribed": _either(
        "subscribed",
        "Items behind the position follow, or those of all channels of the pattern.",
        {"channel": _CHANNEL, "position": _POSITION, "recovered": {"type": "boolean"}},
    ),
    "item": _item(),
    "position": _message(
        "position",
        "An item with nothing for you; only the position moves on.",
        {"channel": _CHANNEL, "position": _POSITION},
        {"id": _TEXT, "tags": _TAGS, "user": _TEXT},
    ),
    "reset": _message(
        "reset",
        "Items were lost to you: load your state anew.",
        {
            "channel": _CHANNEL,
            "position": _POSITION,
            "reason": {"enum": ["history_expired", "epoch_changed"]},
        },
    ),
    "unsubscribed": _either(
        "unsubscribed",
        "The answer to unsubscribe; or a channel that a pattern found went quiet.",
        {"channel": _CHANNEL},
    ),
    "keep-alive": _message("keep-alive", "The connection lives.", {}),
    "closing": _message(
        "closing",
        "The last words of a stream.",
        {"reason": _TEXT, "message": _TEXT, "reconnect": {"type": "boolean"}},
    ),
    "error": _message("error", "A command or a request was refused.", _ERROR, _ERROR_MORE),
    "pong": _message("pong", "The answer to ping.", {}),
    "published": _message(
        "published",
        "The answer to publish.",
        {"channel": _CHANNEL, "position": {"type": ["string", "null"]}},
        {"id": _TEXT},
    ),
    "authorized": _message(
        "authorized", "The answer to auth.", {"user": _TEXT, "expires_in_s": {"type": ["number", "null"]}}
    ),
    "token-expired": _message("token-expired", "Send auth within so many seconds.", {"grace_s": _COUNT}),
    "presence": _message(
        "presence",
        "Who is on the channel.",
        {"channel": _CHANNEL, "count": _COUNT, "anonymous": _COUNT},
        {
            "members": _PEOPLE,
            "joined": _PEOPLE,
            "left": {"type": "array", "items": _TEXT},
            "partial": {"type": "boolean"},
            "cursor": _TEXT,
        },
    ),
}

#: What a client says on a WebSocket.
SENT: dict[str, Schema] = {
    "subscribe": _either(
        "subscribe",
        "Join a channel, or follow a pattern.",
        {"channel": _CHANNEL},
        {"since": _POSITION, "filter": _TEXT, "presence": {"type": "boolean"}},
    ),
    "unsubscribe": _either("unsubscribe", "Leave a channel, or a pattern.", {"channel": _CHANNEL}),
    "publish": _message("publish", "Publish an item.", {"channel": _CHANNEL, "data": {}}, {"id": _TEXT}),
    "auth": _message("auth", "Bring another token.", {"token": _TEXT}),
    "ping": _message("ping", "Ask for a pong.", {}),
}

#: A long-poll's answer.
POLL_ANSWER: Schema = {
    "name": "poll",
    "summary": "The answer to a long-poll.",
    "contentType": "application/json",
    "payload": {
        "type": "object",
        "required": ["items", "cursor"],
        "properties": {
            "items": {
                "type": "array",
                "items": {"anyOf": [RECEIVED["item"]["payload"], RECEIVED["position"]["payload"]]},
            },
            "cursor": _CURSOR,
            "resets": {"type": "array", "items": RECEIVED["reset"]["payload"]},
        },
    },
}

#: A refusal before a stream begins, and of every poll.
REFUSAL: Schema = {
    "name": "refusal",
    "summary": "Why a request was refused, as an HTTP answer.",
    "contentType": "application/json",
    "payload": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "object", "required": list(_ERROR), "properties": {**_ERROR, **_ERROR_MORE}}},
    },
}

_QUERY: Schema = {
    "type": "object",
    "properties": {
        "channel": {"type": "array", "items": _CHANNEL, "maxItems": 200},
        "pattern": {
            "type": "array",
            "items": _TEXT,
            "maxItems": 20,
            "description": "such as orders.*; on WebSockets and HTTP streams",
        },
        "since": _CURSOR,
        "filter": _TEXT,
        "token": _TEXT,
    },
}
_NOT_ON_STREAMS = {"pong", "published", "authorized", "token-expired"}


@cache
def asyncapi_document(public_url: str) -> Schema:
    """Return the document; `public_url` is where sites are reached by path."""
    scheme, _, host = public_url.partition("://")
    streamed = [name for name in RECEIVED if name not in _NOT_ON_STREAMS]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Fanout Cloud subscribers",
            "version": "1",
            "description": "What subscribers get, and what they may say. New types and members may come: pass over "
            "what you do not know.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "websocket": _server("wss" if scheme == "https" else "ws", host),
            "http": _server(scheme, host),
        },
        "channels": {
            "ws": _channel(
                "/fanout/ws", "websocket", [*RECEIVED, *SENT], about="WebSocket: one JSON object a message."
            ),
            "sse": _channel(
                "/fanout/sse", "http", streamed, about="Server-sent events: items unnamed, others by type."
            ),
            "stream": _channel("/fanout/stream", "http", streamed, about="JSON lines, one message each."),
            "poll": _channel("/fanout/poll", "http", ["poll", "refusal"], about="Long-polling: one answer a request."),
        },
        "operations": {
            "receiveOverWebSocket": _operation("send", "ws", list(RECEIVED)),
            "sayOverWebSocket": _operation("receive", "ws", list(SENT)),
            "receiveEvents": _operation("send", "sse", streamed),
            "receiveLines": _operation("send", "stream", streamed),
            "poll": _operation("send", "poll", ["poll", "refusal"]),
        },
        "components": {"messages": {**RECEIVED, **SENT, "poll": POLL_ANSWER, "refusal": REFUSAL}},
    }


def _server(protocol: str, host: str) -> Schema:
    realm = {"description": "The realm's id."}
    return {"host": host, "protocol": protocol, "pathname": "/r/{realm}", "variables": {"realm": realm}}


def _channel(address: str, server: str, messages: list[str], *, about: str) -> Schema:
    binding = {"bindings": {"ws": {"method": "GET", "query": _QUERY}}} if server == "websocket" else {}
    return {
        "address": address,
        "description": about,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        **binding,
    }


def _operation(action: str, channel: str, messages: list[str]) -> Schema:
    return {
        "action": action,  # as AsyncAPI has it: what the described application, our server, does
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }
