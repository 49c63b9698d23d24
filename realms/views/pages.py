"""The page of one realm, which several views answer with."""

from django.http import HttpResponse
from django.shortcuts import render

from realms.forms import LabelForm
from realms.http import PageRequest
from realms.models import Realm
from realms.selectors import list_live_keys, site_urls
from realms.transports import list_transports


def render_realm(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    """Answer with the whole page of the realm; `context` adds to it or takes the place of its forms."""
    page = {
        "realm": realm,
        "urls": site_urls(realm),
        "transports": list_transports(realm),
        "keys": list_live_keys(realm),
        "label_form": LabelForm({"label": realm.label}),
        "key_form": LabelForm(),
    }
    return render(request, "realms/detail.html", page | context, status=status)
