"""Webhooks of the whole product, in one process: from a publish over HTTP to a call, also when it is killed."""

import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.servers.product import Product, ProductRealm
from tests.servers.webhook_sink import WebhookSink, running_sink

PATIENCE_S = 20.0

_ADD_ENDPOINT = """
import json, sys
from publishing.webhooks.endpoints import create_endpoint
from realms.models import Realm
realm, url, settings = sys.argv[1:]
create_endpoint(realm=Realm.objects.get(pk=realm), url=url, **json.loads(settings))
"""


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_sink() as running:
        yield running


def wait_until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come to that in time"
        time.sleep(0.02)


def publish(http: httpx.Client, realm: ProductRealm, channel: str, *numbers: int) -> None:
    items = [{"channel": channel, "json-object": {"n": number}} for number in numbers]
    assert http.post(f"{realm.api}/publish/", auth=realm.auth, json={"items": items}).status_code == 200


def numbers_of(sink: WebhookSink) -> list[int]:
    return [json.loads(one.body)["data"]["items"][0]["data"]["n"] for one in sink.received]


def test_a_url_of_the_compatible_api_is_called_with_requests(
    http: httpx.Client, realm: ProductRealm, channel: str, sink: WebhookSink
):
    hooks = f"{realm.api}/channel/{channel}/hrq-subscription"
    assert http.post(f"{hooks}s/", auth=realm.auth, data={"url": f"{sink.url}/in"}).status_code == 200
    request = {"method": "POST", "headers": {"Content-Type": "text/plain"}, "body": "hello"}
    items = [{"channel": channel, "formats": {"http-request": request}}]

    assert http.post(f"{realm.api}/publish/", auth=realm.auth, json={"items": items}).status_code == 200
    wait_until(lambda: len(sink.received) == 1)

    assert (sink.received[0].body, sink.received[0].headers["content-type"]) == (b"hello", "text/plain")
    removed = http.delete(f"{hooks}/{quote(sink.url + '/in', safe='')}/", auth=realm.auth)
    assert removed.status_code == 200


def test_what_was_acknowledged_is_delivered_although_everything_is_killed(
    http: httpx.Client, product: Product, channel: str, sink: WebhookSink
):
    realm = product.create_realm("dora@example.com")
    product.run_python(_ADD_ENDPOINT, realm.realm, f"{sink.url}/in", json.dumps({"patterns": [channel]}))
    sink.behave = lambda request: "hang"

    publish(http, realm, channel, *range(20))
    wait_until(lambda: len(sink.received) > 0)
    publish(http, realm, channel, *range(20, 40))
    product.kill()
    sink.received.clear()
    sink.behave = lambda request: 200
    product.run_python(
        "from publishing.models import WebhookDelivery as D; from django.utils import timezone;"
        "D.objects.filter(state='waiting').update(due_at=timezone.now())"  # the leases of the dead are over
    )
    product.start()
    wait_until(lambda: set(numbers_of(sink)) == set(range(40)))

    assert len(sink.received) == 40


def test_who_comes_and_goes_is_told(http: httpx.Client, product: Product, channel: str, sink: WebhookSink):
    realm = product.create_realm("emil@example.com")
    kinds = ["channel.occupied", "channel.vacated", "connection.opened", "connection.closed"]
    product.run_python(_ADD_ENDPOINT, realm.realm, f"{sink.url}/in", json.dumps({"events": kinds}))

    with http.stream("GET", f"{realm.site}/fanout/sse", params={"channel": channel}) as answer:
        assert answer.status_code == 200
        wait_until(lambda: len(sink.received) == 2)
    wait_until(lambda: len(sink.received) == 4)

    events = [json.loads(one.body) for one in sink.received]
    assert {event["type"] for event in events[:2]} == {"channel.occupied", "connection.opened"}
    assert {event["type"] for event in events} == set(kinds)
    assert {event["data"].get("channel", channel) for event in events} == {channel}
