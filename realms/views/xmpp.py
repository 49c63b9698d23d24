"""XMPP on the pages of a realm: addresses, who may administer it from there and who gets stanzas, first programs."""

from dataclasses import dataclass
from string import Template

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.core.names import MAX_CHANNEL_NAME_BYTES
from fanoutcloud.outbound.gate import MAX_URL_CHARACTERS
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.models import Realm
from realms.models.xmpp import MAX_ADDRESS_CHARACTERS
from realms.refusals import refusals_shown
from realms.roles import Role
from realms.selectors import list_xmpp_admins, list_xmpp_receivers
from realms.services import (
    add_xmpp_admin,
    add_xmpp_receiver,
    allow_stanzas,
    remove_xmpp_admin,
    remove_xmpp_receiver,
    set_stanza_url,
)

#: Of those that were added; the API lists all.
MAX_SHOWN_RECEIVERS = 200

_SLIXMPP = Template("""\
import os
from slixmpp import ClientXMPP

class Kiosk(ClientXMPP):
    def __init__(self):
        super().__init__("$realm.kiosk@$domain", os.environ["FANOUT_TOKEN"])
        self.register_plugin("xep_0060")
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("pubsub_publish", print)

    async def begin(self, event):
        await self.plugin["xep_0060"].subscribe("pubsub.$domain", "/$realm/hello")

client = Kiosk()
client.connect()
client.loop.run_forever()
""")
_CHAT = Template("""\
Contact:  admin-$realm@api.$domain

admin-add --token TOKEN you@example.org
help
publish hello '{"text": "hi"}'
info hello
""")


@dataclass(frozen=True, slots=True)
class XmppSnippet:
    """Something to begin with, as `components/_snippets.html` shows it."""

    slug: str
    name: str
    how: str
    text: str


class AdminForm(forms.Form):
    """An address to let in."""

    address = forms.CharField(max_length=MAX_ADDRESS_CHARACTERS)


class ReceiverForm(forms.Form):
    """An address, and the channel whose stanzas it is to get."""

    address = forms.CharField(max_length=MAX_ADDRESS_CHARACTERS)
    channel = forms.CharField(max_length=MAX_CHANNEL_NAME_BYTES)


class UrlForm(forms.Form):
    """Where stanzas to the realm are posted."""

    url = forms.CharField(required=False, max_length=MAX_URL_CHARACTERS)


@login_required
@never_cache
@require_GET
def show_xmpp(request: PageRequest, realm_id: str) -> HttpResponse:
    """The page."""
    return _render(request, get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER))


@login_required
@never_cache
@require_POST
def add_admin(request: PageRequest, realm_id: str) -> HttpResponse:
    """Put an address on the list."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    form = AdminForm(request.POST)
    if form.is_valid():
        with refusals_shown(form, at="address"):
            row = add_xmpp_admin(realm=realm, address=form.cleaned_data["address"])
            everybody = " Everybody who has an address there may now." if row.address.startswith("@") else ""
            messages.success(request, f"{row.address} may administer this realm.{everybody}")
            return redirect("realms:xmpp", realm.pk)
    return _render(request, realm, form=form, status=422)


@login_required
@never_cache
@require_POST
def remove_admin(request: PageRequest, realm_id: str, admin_id: int) -> HttpResponse:
    """Take an address off the list."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    with missing_is_404():
        remove_xmpp_admin(realm=realm, admin_id=admin_id)
    messages.success(request, "The address may administer this realm no more.")
    return redirect("realms:xmpp", realm.pk)


@login_required
@never_cache
@require_POST
def add_receiver(request: PageRequest, realm_id: str) -> HttpResponse:
    """Have an address get a channel's stanzas, or go on where it was paused."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.DEVELOPER)
    form = ReceiverForm(request.POST)
    if form.is_valid():
        with refusals_shown(form, at="address"):
            row = add_xmpp_receiver(realm=realm, **form.cleaned_data)
            is_asked = row.receiver.state == row.receiver.State.PENDING
            how = "is asked whether it wants" if is_asked else "gets"
            messages.success(request, f"{row.receiver.address} {how} the stanzas of {row.channel}.")
            return redirect("realms:xmpp", realm.pk)
    return _render(request, realm, receiver_form=form, status=422)


@login_required
@never_cache
@require_POST
def remove_receiver(request: PageRequest, realm_id: str, receiver_channel_id: int) -> HttpResponse:
    """Send an address nothing more of a channel."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.DEVELOPER)
    with missing_is_404():
        remove_xmpp_receiver(realm=realm, receiver_channel_id=receiver_channel_id)
    messages.success(request, "The address gets nothing of that channel any more.")
    return redirect("realms:xmpp", realm.pk)


@login_required
@never_cache
@require_POST
def set_stanzas(request: PageRequest, realm_id: str) -> HttpResponse:
    """Set whether items bring whole stanzas."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    allow_stanzas(realm=realm, is_allowed="sends_stanzas" in request.POST)
    messages.success(request, "Saved.")
    return redirect("realms:xmpp", realm.pk)


@login_required
@never_cache
@require_POST
def set_url(request: PageRequest, realm_id: str) -> HttpResponse:
    """Set where stanzas to the realm are posted."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    form = UrlForm(request.POST)
    if form.is_valid():
        with refusals_shown(form, at="url"):
            set_stanza_url(realm=realm, url=form.cleaned_data["url"])
            messages.success(request, "Saved.")
            return redirect("realms:xmpp", realm.pk)
    return _render(request, realm, url_form=form, status=422)


def _render(
    request: PageRequest,
    realm: Realm,
    *,
    form: AdminForm | None = None,
    receiver_form: ReceiverForm | None = None,
    url_form: UrlForm | None = None,
    status: int = 200,
) -> HttpResponse:
    domain = settings.XMPP.domain
    names = {"realm": realm.pk, "domain": domain}
    context = {
        "realm": realm,
        "is_on": settings.XMPP.is_on,
        "domain": domain,
        "addresses": [
            ("Channels", f"pubsub.{domain}", f"each is a node, such as /{realm.pk}/hello"),
            ("Commands", f"admin-{realm.pk}@api.{domain}", "for programs, and as a contact to chat with"),
            ("Accounts", f"{realm.pk}.NAME@{domain}", "the password is a token of the user NAME, or of your server"),
            (
                "Stanzas",
                f"{realm.pk}@stanza.{domain}",
                "whom whole stanzas are from; what is written there can be posted on",
            ),
            ("Guests", f"guest.{domain}", "sign in without a password; public channels only"),
        ],
        "admins": list(list_xmpp_admins(realm)),
        "form": form or AdminForm(),
        "receivers": list(list_xmpp_receivers(realm)[:MAX_SHOWN_RECEIVERS]),
        "receiver_form": receiver_form or ReceiverForm(),
        "url_form": url_form or UrlForm({"url": realm.stanza_url}),
        "may_add_receivers": Role(realm.role).is_at_least(Role.DEVELOPER),
        "may_change": Role(realm.role).is_at_least(Role.ADMIN),
        "snippets": [
            XmppSnippet("slixmpp", "slixmpp", "Python, with a token in FANOUT_TOKEN", _SLIXMPP.substitute(names)),
            XmppSnippet("chat", "Chat client", "Gajim, Dino or Conversations", _CHAT.substitute(names)),
        ],
    }
    return render(request, "realms/xmpp.html", context, status=status)
