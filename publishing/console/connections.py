"""The connection inspector: every connection of a realm, with what can be known of it, and ending one."""

import time
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.names import RealmId, parse_channel_name
from fanoutcloud.core.reads import ConnectionInfo, ConnectionPage, Whose
from publishing.api.planes import get_plane
from publishing.console.forms import ConnectionsForm, EndForm
from publishing.console.words import span, volume
from realms.http import PageRequest, get_realm_or_404
from realms.models import Realm
from realms.roles import Role

PAGE_SIZE = 100
#: More channels of one connection are counted, not named.
MAX_CHANNELS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One connection in words."""

    info: ConnectionInfo
    age: str
    arrived: str
    unsent: str
    round_trip: str
    items_behind: int
    channels_unnamed: int


@login_required
@never_cache
@require_GET
def show_connections(request: PageRequest, realm_id: str) -> HttpResponse:
    """Connections of the realm that the query asks for. With `part=list`, only the list: the page renews it."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    form = ConnectionsForm(request.GET)
    problem, page = "", ConnectionPage([], None)
    if form.is_valid():
        try:
            page = _ask(realm, form)
        except FanoutError as error:
            problem = error.line
    context = {
        "realm": realm,
        "form": form,
        "problem": problem,
        "rows": [_row(info, time.time()) for info in page.connections],
        "missing": page.missing,
        "filters": _write_query(form),
        "next": _write_query(form, after=page.cursor) if page.cursor else "",
        "is_filtered": any(request.GET.get(name) for name in ("channel", "user", "transport", "behind")),
        "may_end": Role(realm.role).is_at_least(Role.DEVELOPER),
    }
    is_part = request.GET.get("part") == "list"
    template = "publishing/console/_connection_list.html" if is_part else "publishing/console/connections.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _ask(realm: Realm, form: ConnectionsForm) -> ConnectionPage:
    plane, wanted = get_plane(), form.cleaned_data
    channel = parse_channel_name(wanted["channel"], field="channel") if wanted["channel"] else None
    asked = plane.reads.connections(
        RealmId(realm.pk),
        channel=channel,
        user=wanted["user"] or None,
        transport=wanted["transport"] or None,
        behind_only=wanted["behind"],
        cursor=wanted["after"] or None,
        limit=PAGE_SIZE,
    )
    return plane.door.run(asked)


def _write_query(form: ConnectionsForm, **more: str) -> str:
    known = {} if form.errors else {name: value for name, value in form.cleaned_data.items() if value}
    return urlencode({**known, **more})


def _row(info: ConnectionInfo, now: float) -> ConnectionRow:
    return ConnectionRow(
        info=info,
        age=span(now - info.connected_at),
        arrived="" if info.acked_bytes is None else volume(info.acked_bytes),
        unsent=volume(info.unsent_bytes) if info.unsent_bytes else "",
        round_trip="" if info.round_trip_s is None else _round_trip(info.round_trip_s),
        items_behind=sum(place.behind for place in info.channels),
        channels_unnamed=max(0, len(info.channels) - MAX_CHANNELS_SHOWN),
    )


def _round_trip(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.0001 else "under 0.1 ms"


@login_required
@never_cache
@require_POST
def end_connection(request: PageRequest, realm_id: str) -> HttpResponse:
    """End one connection and go back to the list."""
    realm = get_realm_or_404(request.user, realm_id)
    form = EndForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The form was not complete: nothing was ended.")
        return redirect(_list_url(request, realm))
    ending = form.cleaned_data
    try:
        plane = get_plane()
        whose = Whose(connection=ending["connection"])
        asked = plane.reads.disconnect(
            RealmId(realm.pk), whose, reason=ending["reason"], may_reconnect=ending["may_reconnect"]
        )
        done = plane.door.run(asked)
    except FanoutError as error:
        messages.error(request, error.line)
    else:
        if done.connections:
            messages.success(request, f"Connection {ending['connection']} was ended.")
        else:
            messages.warning(request, f"Connection {ending['connection']} had ended already.")
    return redirect(_list_url(request, realm))


def _list_url(request: PageRequest, realm: Realm) -> str:
    """Return the address of the list as it was filtered."""
    form = ConnectionsForm(request.GET)
    query = _write_query(form) if form.is_valid() else ""
    return reverse("console:connections", args=[realm.pk]) + (f"?{query}" if query else "")
