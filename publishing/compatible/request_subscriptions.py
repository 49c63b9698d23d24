"""`/realm/{realm}/channel/{channel}/hrq-subscriptions/`: URLs to call with what is published (docs/api/rest-compat.md).

Paths are read as they came: a channel or a URL in them may hold an escaped slash.
"""

import re
from functools import partial
from urllib.parse import unquote_to_bytes

from asgiref.sync import sync_to_async
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from fanoutcloud.core.errors import InvalidRequest, MethodNotAllowed, NotFound, Unavailable
from fanoutcloud.core.names import ChannelName, RealmId, parse_channel_name
from publishing.compatible.requests import answer_request
from publishing.webhooks.request_subscriptions import add_request_subscription, remove_request_subscription
from realms.selectors import get_realm

METHODS = "POST, DELETE, OPTIONS"
_ADD = re.compile(rb"/realm/[^/]+/channel/(.+)/hrq-subscriptions/?\Z")
#: The URL is the last segment, since all its slashes are escaped; a careless caller's are taken, too.
_REMOVE = re.compile(rb"/realm/[^/]+/channel/(.+?)/hrq-subscription/(.+?)/?\Z")


@csrf_exempt  # the credential is in a header, which no page of a stranger can make a browser send
async def change_request_subscriptions(request: HttpRequest, realm_id: str) -> HttpResponse:
    """Add a URL to a channel, or remove one."""
    return await answer_request(request, realm_id, methods=METHODS, act=partial(_change, request))


async def _change(request: HttpRequest, realm_id: RealmId) -> str:
    raw_path: bytes = request.scope.get("raw_path") or request.path.encode()  # type: ignore[attr-defined] # ASGIRequest
    try:
        if match := _ADD.match(raw_path):
            _expect(request, "POST")
            url = _read_url(request)
            await sync_to_async(_add)(realm_id, _channel(match[1]), url)
            return "Subscribed"
        if match := _REMOVE.match(raw_path):
            _expect(request, "DELETE")
            await sync_to_async(_remove)(realm_id, _channel(match[1]), _text(match[2]))
            return "Unsubscribed"
    except DatabaseError:
        raise Unavailable("subscriptions can't be changed at the moment") from None
    raise NotFound("a channel has nothing here", cure="use hrq-subscriptions/ or hrq-subscription/URL/")


def _expect(request: HttpRequest, method: str) -> None:
    if request.method != method:
        raise MethodNotAllowed(request.method or "", f"{method}, OPTIONS")


def _read_url(request: HttpRequest) -> str:
    try:
        url = request.POST.get("url", "")
    except (BadRequest, SuspiciousOperation, RequestDataTooBig, UnicodeDecodeError):
        url = ""
    if not url:
        raise InvalidRequest("no URL came", cure="send url=https://…, form-encoded", field="url")
    return url


def _text(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise InvalidRequest("is not UTF-8", cure="percent-escape UTF-8", field="path") from None


def _channel(raw: bytes) -> ChannelName:
    return parse_channel_name(_text(raw), field="path")


def _add(realm_id: RealmId, channel: ChannelName, url: str) -> None:
    add_request_subscription(realm=get_realm(realm_id), channel=channel, url=url)


def _remove(realm_id: RealmId, channel: ChannelName, url: str) -> None:
    remove_request_subscription(realm=get_realm(realm_id), channel=channel, url=url)
