"""The ways to listen to a realm, as its page shows them."""

from dataclasses import dataclass

from realms.models import Realm
from realms.selectors import site_urls


@dataclass(frozen=True, slots=True)
class TransportAddress:
    """One transport and where it is reached."""

    name: str
    url: str


def list_transports(realm: Realm) -> list[TransportAddress]:
    """Return the transports of the realm's site, in the path form, which works without DNS."""
    site = site_urls(realm).path_form
    return [
        TransportAddress("WebSocket", f"ws{site.removeprefix('http')}/fanout/ws"),
        TransportAddress("SSE", f"{site}/fanout/sse"),
        TransportAddress("HTTP streaming", f"{site}/fanout/stream"),
        TransportAddress("Long-poll", f"{site}/fanout/poll"),
    ]
