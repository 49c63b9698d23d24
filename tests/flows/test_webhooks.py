"""Webhooks of the whole product, in one process: from a publish over HTTP to a call, also when it is killed."""

import json
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

import httpx
import pytest

from tests.servers.product import Product, ProductRealm
from tests.servers.webhook_sink import WebhookSink, running_sink

PATIENCE_S = 20.0

KINDS = ["channel.occupied", "channel.vacated", "connection.opened", "connection.closed"]

_CREATE = """
import io
from django.core.management import call_command
from publishing.webhooks.endpoints import create_endpoint
from realms.models import Realm
for url, settings in json.loads(sys.argv[1]):
    printed = io.StringIO()
    call_command("create_realm", "--json", "--owner", "alice@example.com", stdout=printed)
    print(printed.getvalue().strip())
    create_endpoint(realm=Realm.objects.get(pk=json.loads(printed.getvalue())["realm"]), url=url, **settings)
"""


class CalledRealm(NamedTuple):
    """A realm, and the receiver that its endpoint calls."""

    realm: ProductRealm
    sink: WebhookSink


@pytest.fixture(scope="module")
def called_realms(product: Product) -> Iterator[list[CalledRealm]]:
    """One that is called with items, one with who comes and goes. Made at once: starting Django takes a second."""
    with running_sink() as items, running_sink() as kinds:
        settings = [(f"{items.url}/in", {}), (f"{kinds.url}/in", {"events": KINDS})]
        printed = product.run_python(_CREATE, json.dumps(settings)).splitlines()
        realms = [ProductRealm(**json.loads(line)) for line in printed]
        yield [CalledRealm(*pair) for pair in zip(realms, (items, kinds), strict=True)]


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
    http: httpx.Client, called_realms: list[CalledRealm], channel: str, sink: WebhookSink
):
    realm = called_realms[1].realm  # its endpoint does not ask for items
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
    http: httpx.Client, product: Product, channel: str, called_realms: list[CalledRealm]
):
    realm, sink = called_realms[0]
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


def test_who_comes_and_goes_is_told(http: httpx.Client, channel: str, called_realms: list[CalledRealm]):
    realm, sink = called_realms[1]

    with http.stream("GET", f"{realm.site}/fanout/sse", params={"channel": channel}) as answer:
        assert answer.status_code == 200
        wait_until(lambda: len(sink.received) == 2)
    wait_until(lambda: len(sink.received) == 4)

    events = [json.loads(one.body) for one in sink.received]
    assert {event["type"] for event in events[:2]} == {"channel.occupied", "connection.opened"}
    assert {event["type"] for event in events} == set(KINDS)
    assert {event["data"].get("channel", channel) for event in events} == {channel}
    what_it_is = sink.received[0].headers["user-agent"].partition("(+")[2].rstrip(")")
    assert "webhook-id" in http.get(what_it_is).text
