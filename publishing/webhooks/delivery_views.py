"""Pages of deliveries: the list that is searched, and one delivery with every attempt."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from publishing.webhooks.errors import BodyGone, DeliveryNotFound, EndpointDisabled
from publishing.webhooks.forms import SearchForm
from publishing.webhooks.replays import replay_delivery
from publishing.webhooks.selectors import get_delivery, list_attempts, list_deliveries, list_endpoints
from publishing.webhooks.times import BAR_WIDTH, phases_of
from publishing.webhooks.views import may_change
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.refusals import sentence
from realms.roles import Role

PAGE = 50
MAX_ATTEMPTS_SHOWN = 50
#: Of a body that is shown.
MAX_BODY_SHOWN = 4_096


@login_required
@never_cache
@require_GET
def show_deliveries(request: PageRequest, realm_id: str) -> HttpResponse:
    """A page of deliveries, the newest first; `?before=` asks for older ones, the others choose."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    form = SearchForm(request.GET)
    rows = list_deliveries(realm, **form.chosen()).select_related("endpoint")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: PAGE + 1])
    others = request.GET.copy()
    others.pop("before", None)
    context = {
        "realm": realm,
        "form": form,
        "deliveries": found[:PAGE],
        "older": found[PAGE - 1].pk if len(found) > PAGE else None,
        "others": others.urlencode(),
        "endpoints": list_endpoints(realm, with_compatible=True),
        "may_change": may_change(realm),
    }
    return render(request, "publishing/webhooks/deliveries.html", context)


@login_required
@never_cache
@require_GET
def show_delivery(request: PageRequest, realm_id: str, delivery_id: int) -> HttpResponse:
    """One delivery: what is sent, and how each attempt went."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    with missing_is_404():
        row = get_delivery(realm, delivery_id)
    body = bytes(row.body)
    context = {
        "realm": realm,
        "row": row,
        "body": body[:MAX_BODY_SHOWN].decode("utf-8", "replace"),
        "body_bytes": len(body),
        "is_body_cut": len(body) > MAX_BODY_SHOWN,
        "attempts": [(one, phases_of(one)) for one in list_attempts(realm, row.pk)[:MAX_ATTEMPTS_SHOWN]],
        "bar_width": BAR_WIDTH,
        "may_change": may_change(realm),
    }
    return render(request, "publishing/webhooks/delivery.html", context)


@login_required
@never_cache
@require_POST
def replay_one(request: PageRequest, realm_id: str, delivery_id: int) -> HttpResponse:
    """Send a delivery again."""
    realm = get_realm_or_404(request.user, realm_id)
    try:
        replay_delivery(realm=realm, delivery_id=delivery_id)
    except DeliveryNotFound as error:
        raise Http404 from error
    except (BodyGone, EndpointDisabled) as error:
        messages.error(request, sentence(error))
    else:
        messages.success(request, "It is sent again, under its own id.")
    return redirect("webhooks:delivery", realm.pk, delivery_id)
