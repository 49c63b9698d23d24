"""An item as publishers write it: what `parse_publish` makes an item of, for somebody who wants to send it again."""

import base64
from typing import Any

import msgspec

from fanoutcloud.core.items import HttpResponse, HttpStream, Item, WsMessage

Members = dict[str, Any]  # Any: JSON values of the publish format


def write_item(item: Item) -> str:
    """Return the item as indented JSON in the form of docs/api/publish.md; `id` and `prev-id` are left out.

    They name this one publication: sent again with its `id`, an item is a repetition and delivered to nobody.
    """
    formats: Members = {}
    if item.json_object is not None:
        formats["json-object"] = msgspec.Raw(item.json_object)
    if item.http_stream is not None:
        formats["http-stream"] = _write_stream(item.http_stream)
    if item.http_response is not None:
        formats["http-response"] = _write_response(item.http_response)
    if item.ws_message is not None:
        formats["ws-message"] = _write_message(item.ws_message)
    members: Members = {"channel": item.channel, "formats": formats}
    if item.tags:
        members["tags"] = item.tags
    if item.meta:
        members["meta"] = item.meta
    return msgspec.json.format(msgspec.json.encode(members), indent=2).decode()


def _write_stream(stream: HttpStream) -> Members:
    if stream.action != "send":
        return _shared(stream)
    return _content("content", stream.content) | _shared(stream)


def _write_response(response: HttpResponse) -> Members:
    members: Members = {} if response.code == 200 else {"code": response.code}
    if response.reason is not None:
        members["reason"] = response.reason
    if response.headers:
        members["headers"] = response.headers
    if response.body is not None:
        members |= _content("body", response.body)
    if response.body_patch is not None:
        members["body-patch"] = msgspec.Raw(response.body_patch)
    return members | _shared(response)


def _write_message(message: WsMessage) -> Members:
    members: Members = {}
    if message.action == "send" or message.content:
        members = _content("content", message.content)
    if message.type != ("text" if "content-bin" not in members else "binary"):
        members["type"] = message.type
    if message.code is not None:
        members["code"] = message.code
    if message.reason:
        members["reason"] = message.reason
    return members | _shared(message)


def _shared(wire: HttpStream | HttpResponse | WsMessage) -> Members:
    members: Members = {} if wire.action == "send" else {"action": wire.action}
    return members if wire.content_filters is None else members | {"content-filters": wire.content_filters}


def _content(name: str, content: bytes) -> Members:
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}-bin": base64.b64encode(content).decode()}
