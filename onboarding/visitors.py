"""Which sandbox belongs to a browser: its session says so, and nothing else does."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from onboarding.qr_codes import draw_qr_code
from onboarding.snippets import build_publish_command
from realms.hosts import serves_this_machine_only
from realms.models import Realm, Sandbox
from realms.selectors import find_sandbox, list_live_keys, site_urls
from realms.services import open_sandbox, reveal_api_key

CHANNEL = "hello"
_KEY = "sandbox"

Session = MutableMapping[str, Any]  # Django's own: any JSON value, by name


@dataclass(frozen=True, slots=True)
class SandboxView:
    """A visitor's sandbox as the first page shows it."""

    realm: str
    channel: str
    expires_at: datetime
    command: str = field(repr=False)  # holds the key
    page_url: str
    qr_code: str
    is_local: bool  # only this machine can reach it, so that no phone can


def find_visitors_sandbox(session: Session) -> Sandbox | None:
    """Return the sandbox that this browser has opened, if it lives and nobody has kept it."""
    realm_id = session.get(_KEY)
    return find_sandbox(realm_id) if isinstance(realm_id, str) else None


def open_visitors_sandbox(session: Session, *, address: str) -> Sandbox:
    """Return this browser's sandbox; a new one if it has none that lives.

    Raises:
        TooManySandboxes, NoRoomForSandbox: as `realms.services.open_sandbox`.
    """
    found = find_visitors_sandbox(session)
    if found is not None:
        return found
    realm = open_sandbox(address=address).realm
    session[_KEY] = realm.pk
    return realm.sandbox


def show_sandbox(sandbox: Sandbox) -> SandboxView:
    """Return what the first page shows of it."""
    realm = sandbox.realm
    key = list_live_keys(realm)[0]  # a realm always has one: the last is never revoked
    page_url = subscriber_page_url(realm)
    return SandboxView(
        realm=realm.pk,
        channel=CHANNEL,
        expires_at=sandbox.expires_at,
        command=build_publish_command(
            realm=realm.pk,
            key=reveal_api_key(realm=realm, key_id=key.pk),
            url=f"{site_urls(realm).api}/publish/",
            channel=CHANNEL,
            text="Hello from curl",
        ),
        page_url=page_url,
        qr_code=draw_qr_code(page_url),
        is_local=serves_this_machine_only(settings),
    )


def subscriber_page_url(realm: Realm, channel: str = CHANNEL) -> str:
    """Return the address of the page that shows what is published to a channel: short, since it is scanned."""
    return f"{settings.PUBLIC_URL}/s/{realm.pk}/{channel}/"


def shown_host(url: str) -> str:
    """Return the address without its scheme, as people read it."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"
