"""Sending an item again from the console: the whole of it to edit, and the edited copy published."""

import json

import msgspec
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.broker.base import PublishResult
from fanoutcloud.core.errors import FanoutError, InvalidRequest
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.item_text import write_item
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import RealmId, parse_channel_name
from fanoutcloud.core.streams import StreamPosition, parse_position
from publishing.api.planes import get_plane
from publishing.apps import DeliveryPlane
from publishing.console.forms import ItemForm, ItemPlaceForm
from realms.errors import RealmNotFound
from realms.http import PageRequest, get_realm_or_404


@login_required
@never_cache
@require_GET
def show_item(request: PageRequest, realm_id: str) -> HttpResponse:
    """The form with an item of the history; an empty one of its channel if it is not kept any more."""
    realm = get_realm_or_404(request.user, realm_id)
    form = ItemPlaceForm(request.GET)
    problem = ""
    text = write_item(Item(parse_channel_name("hello"), json_object=b'{"text": "hi"}'))
    if form.is_valid():
        channel = form.cleaned_data["channel"]
        try:
            name = parse_channel_name(channel, field="channel")
            found = _find(RealmId(realm.pk), name, form.cleaned_data["position"])
            text = write_item(found or Item(name, json_object=b"{}"))
            problem = "" if found else "This item is not kept any more; write its content anew."
        except FanoutError as error:
            problem = error.line
    return render(request, "publishing/console/_item_form.html", {"realm": realm, "text": text, "problem": problem})


def _find(realm: RealmId, channel: str, position: str) -> Item | None:
    at = parse_position(position, field="position")
    plane = get_plane()
    before = StreamPosition(at.epoch, at.offset - 1)
    page = plane.door.run(plane.reads.history(realm, parse_channel_name(channel), after=before, limit=1))
    return page.items[0].item if page.items and page.items[0].position == at else None


@login_required
@never_cache
@require_POST
def publish_copy(request: PageRequest, realm_id: str) -> HttpResponse:
    """Publish the item of the form; answer with the form, and what became of it."""
    realm = get_realm_or_404(request.user, realm_id)
    form = ItemForm(request.POST)
    text = request.POST.get("item", "")
    context = {"realm": realm, "text": text, "problem": "", "done": ""}
    status = 200
    if form.is_valid():
        try:
            plane = get_plane()
            item = _read_item(text)
            result = plane.door.run(_publish(plane, RealmId(realm.pk), item))
            context["done"] = _describe(item, result)
        except FanoutError as error:
            context["problem"], status = error.line, error.http_status
    else:
        context["problem"], status = "Write an item first.", 422
    return render(request, "publishing/console/_item_form.html", context, status=status)


def _read_item(text: str) -> Item:
    try:
        raw = msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise InvalidRequest(str(error), cure="write the item as one JSON object", field="item") from None
    [item] = parse_publish(b'{"items":[' + bytes(raw) + b"]}")
    return item


async def _publish(plane: DeliveryPlane, realm: RealmId, item: Item) -> PublishResult:
    snapshot = await plane.directory.find_realm(realm)
    if snapshot is None:
        raise RealmNotFound(realm)
    [result] = await plane.publisher.publish_items(snapshot, [item], via="page")
    return result


def _describe(item: Item, result: PublishResult) -> str:
    place = f" at {result.position}" if result.position else ""
    return f"{result.outcome.value.capitalize()} in {json.dumps(item.channel, ensure_ascii=False)}{place}."
