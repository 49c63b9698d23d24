"""Reading realms and their keys. `access_realm` is the one door from a user to a realm."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from accounts.models import User
from realms.errors import RealmNotFound
from realms.models import ApiKey, Realm


@dataclass(frozen=True, slots=True)
class SiteUrls:
    """Where a realm is reached: `path_form` and `host_form` by subscribers, `api` by publishers."""

    realm: str
    path_form: str
    host_form: str
    api: str

    def grip_url(self, secret: str) -> str:
        """Return the one setting of GRIP libraries: where to publish, as whom, and the key (Base64 text)."""
        return f"{self.api}?iss={quote(self.realm, safe='')}&key=base64:{quote(secret, safe='')}"


def access_realm(user: User | AnonymousUser, realm_id: str) -> Realm:
    """Return the realm, if `user` may manage it.

    Raises:
        RealmNotFound: there is no such realm, or it is not this user's.
    """
    realm = Realm.objects.filter(pk=realm_id, owner=user.pk).first() if user.pk else None
    if realm is None:
        raise RealmNotFound(realm_id)
    return realm


def list_realms(user: User) -> QuerySet[Realm]:
    """Return the user's realms, the oldest first."""
    return Realm.objects.filter(owner=user).order_by("created_at", "pk")


def list_live_keys(realm: Realm) -> QuerySet[ApiKey]:
    """Return the realm's keys that are not revoked, the oldest first."""
    return ApiKey.objects.live(realm)


def site_urls(realm: Realm) -> SiteUrls:
    """Return the addresses of the realm's site and API on this installation."""
    scheme = urlsplit(settings.PUBLIC_URL).scheme
    return SiteUrls(
        realm=realm.pk,
        path_form=f"{settings.PUBLIC_URL}/r/{realm.pk}",
        host_form=f"{scheme}://{realm.pk}.{settings.EDGE_DOMAIN}",
        api=f"{settings.PUBLIC_URL}/realm/{realm.pk}",
    )
