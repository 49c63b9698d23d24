"""The addresses of the four transports."""

from django.conf import settings

from realms.services import CreatedRealm
from realms.transports import list_transports


def test_each_transport_has_its_address(created: CreatedRealm):
    urls = {transport.name: transport.url for transport in list_transports(created.realm)}

    site = f"{settings.PUBLIC_URL}/r/{created.realm.pk}/fanout"
    assert urls == {
        "WebSocket": f"{site.replace('http', 'ws', 1)}/ws",
        "SSE": f"{site}/sse",
        "HTTP streaming": f"{site}/stream",
        "Long-poll": f"{site}/poll",
    }
