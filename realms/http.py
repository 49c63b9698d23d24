"""What the pages of realms share on the HTTP side: their request, and the way from an address to a realm."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from fanoutcloud.core.errors import NotFound
from realms.errors import RealmNotFound, RoleTooLow
from realms.models import Realm
from realms.refusals import sentence
from realms.roles import Role
from realms.selectors import access_realm


class PageRequest(HttpRequest):
    """A request of somebody who is signed in, as `login_required` and the htmx middleware leave it."""

    user: User
    htmx: HtmxDetails


def get_realm_or_404(user: User | AnonymousUser, realm_id: str, *, at_least: Role = Role.DEVELOPER) -> Realm:
    """Return the realm if the user's role in it is `at_least` so much.

    Raises:
        Http404: it does not exist or the user is no member of it; the two can't be told apart.
        PermissionDenied: the user is a member, with a lower role.
    """
    try:
        return access_realm(user, realm_id, at_least=at_least)
    except RealmNotFound as error:
        raise Http404 from error
    except RoleTooLow as error:
        raise PermissionDenied(sentence(error)) from error


@contextmanager
def missing_is_404() -> Iterator[None]:
    """Answer with the page 404 where the block does not find what it is about."""
    try:
        yield
    except NotFound as error:
        raise Http404 from error
