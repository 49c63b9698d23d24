"""What the pages of realms share on the HTTP side: their request, and the way from an address to a realm."""

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from realms.errors import RealmNotFound
from realms.models import Realm
from realms.selectors import access_realm


class PageRequest(HttpRequest):
    """A request of somebody who is signed in, as `login_required` and the htmx middleware leave it."""

    user: User
    htmx: HtmxDetails


def get_realm_or_404(user: User | AnonymousUser, realm_id: str) -> Realm:
    """Return the realm if `user` may manage it.

    Raises:
        Http404: it does not exist or is somebody else's; the two can't be told apart.
    """
    try:
        return access_realm(user, realm_id)
    except RealmNotFound as error:
        raise Http404 from error
