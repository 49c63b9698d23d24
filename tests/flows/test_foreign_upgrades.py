"""Requests that offer to go on in another protocol than WebSocket: answered as if they had not, body and all.

Java's HttpClient offers `h2c` with its first request on every connection.
"""

import time

import pytest

from tests.flows.wire import Wire, connect, head_of
from tests.servers.product import Product, ProductRealm

WISH = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAAB"}


def publish(wire: Wire, realm: ProductRealm, body: bytes, *, pause_s: float | None = None, **wish: str) -> int:
    head = head_of(realm, Content_Length=str(len(body)), **wish)
    if pause_s is None:
        wire.send(head + body)
    else:
        for part in (head, body[:10], body[10:]):
            wire.send(part)
            time.sleep(pause_s)  # they are to come one by one
    return wire.read_answer().status


@pytest.mark.parametrize("pause_s", [None, 0.02], ids=["at once", "in parts"])
def test_the_body_behind_the_wish_is_read(product: Product, realm: ProductRealm, channel: str, pause_s: float | None):
    body = b'{"items":[{"channel":"%b","json-object":1}]}' % channel.encode()

    with connect(product.port) as wire:
        first = publish(wire, realm, body, pause_s=pause_s, **WISH)
        second = publish(wire, realm, body)

    assert (first, second) == (200, 200)


def test_what_looks_like_a_request_in_such_a_body_is_none(product: Product, realm: ProductRealm):
    hidden = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

    with connect(product.port) as wire:
        first = publish(wire, realm, hidden, pause_s=0.02, **WISH)
        wire.send(b"GET /nothing/here/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        second = wire.read_answer().status

    assert (first, second) == (400, 404)


def test_the_connection_ends_where_that_was_asked_for(product: Product, realm: ProductRealm, channel: str):
    body = b'{"items":[{"channel":"%b","json-object":1}]}' % channel.encode()

    with connect(product.port) as wire:
        status = publish(wire, realm, body, Connection="Upgrade, close", Upgrade="h2c")
        is_closed = wire.is_closed_by_server()

    assert (status, is_closed) == (200, True)
