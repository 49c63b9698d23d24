"""Applications with the published GRIP libraries, unmodified: every kind of hold, and their pages in Chromium."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from websockets.sync.client import connect

from tests.clients.applications import PATIENCE_S, Application, python_app, run_application, streaming
from tests.clients.pages import open_page
from tests.servers.product import Product, ProductRealm

#: Name of the application → how its paths name a channel.
PATHS = {"plain_wsgi.py": "/{action}?channel={channel}", "django_grip_app.py": "/{action}/{channel}/"}


class GripApplication:
    """An application with `poll`, `stream`, `socket` and `publish`."""

    def __init__(self, application: Application, path: str) -> None:
        self.application = application
        self._path = path

    def path(self, action: str, channel: str) -> str:
        return self._path.format(action=action, channel=channel)

    def url(self, action: str, channel: str) -> str:
        return self.application.site + self.path(action, channel)

    def publish(self, channel: str, text: str) -> None:
        self.application.post(self.path("publish", channel), text)


@pytest.fixture(scope="module", params=[*PATHS, "express_grip.mjs"])
def app(request: pytest.FixtureRequest, product: Product, node_packages: Path) -> Iterator[GripApplication]:
    realm = product.create_realm()
    name = request.param
    words = python_app(name) if name.endswith(".py") else ["node", node_packages / "apps" / name]
    with run_application(product, realm, words) as application:
        yield GripApplication(application, PATHS.get(name, "/{action}/{channel}"))


def test_a_poll_is_held_and_answered_by_a_publish(app: GripApplication, channel: str):
    answers: list[httpx.Response] = []
    poll = threading.Thread(target=lambda: answers.append(httpx.get(app.url("poll", channel), timeout=PATIENCE_S)))
    poll.start()
    while poll.is_alive():  # whether it is held already, nobody says
        app.publish(channel, "news")
        poll.join(0.2)

    assert (answers[0].status_code, answers[0].text) == (200, "news")
    assert not [name for name in answers[0].headers if name.startswith("grip-")]


def test_a_stream_gets_what_is_published(app: GripApplication, channel: str):
    with streaming(app.url("stream", channel)) as stream:
        stream.until("data: open")
        app.publish(channel, "one")
        app.publish(channel, "two")
        stream.until("data: two")

        assert [line for line in stream.lines if line] == ["data: open", "data: one", "data: two"]


def test_a_websocket_speaks_with_the_application_and_gets_what_is_published(app: GripApplication, channel: str):
    with connect(app.application.websocket + app.path("socket", channel), open_timeout=PATIENCE_S) as socket:
        socket.send("hi")
        assert str(socket.recv(PATIENCE_S)).endswith("hi")
        app.publish(channel, "news")
        assert socket.recv(PATIENCE_S) == "news"


def test_who_comes_past_the_edge_is_told_so(app: GripApplication, channel: str):
    answer = httpx.get(app.application.url + app.path("stream", channel), headers={"Grip-Sig": "forged"})

    assert answer.status_code == 501


def test_a_forged_signature_does_not_pass_the_edge(app: GripApplication, channel: str):
    with streaming(app.url("stream", channel), Grip_Sig="forged") as stream:
        lines = stream.until("data: open")

    assert [line for line in lines if line] == ["data: open"], "the edge's own signature is what the application got"


@pytest.mark.browser
def test_the_page_in_chromium(app: GripApplication, chromium: Browser):
    with open_page(chromium, app.application.page) as page:
        page.wait_for_function("got.some((text) => text.startsWith('socket ') && text.endsWith('hello'))")
        page.wait_for_function("got.includes('stream open')")
        while not page.evaluate("got.includes('poll news')"):
            app.publish("page", "news")
            page.wait_for_timeout(100)
        page.wait_for_function("got.includes('stream news') && got.includes('socket news')")

        assert {"stream open", "stream news", "socket news", "poll news"} <= set(page.evaluate("got"))


# -- what only some libraries do


@pytest.fixture(scope="module")
def django_grip(product: Product) -> Iterator[GripApplication]:
    with run_application(product, product.create_realm(), python_app("django_grip_app.py")) as application:
        yield GripApplication(application, PATHS["django_grip_app.py"])


def test_a_time_out_can_be_a_304(django_grip: GripApplication, channel: str):
    answer = httpx.get(django_grip.url("not-modified", channel), timeout=PATIENCE_S)

    assert (answer.status_code, answer.content) == (304, b"")


# -- django-eventstream


@pytest.fixture(scope="module")
def new_realms(product: Product) -> Iterator[ProductRealm]:
    """One for each test of django-eventstream, whose events have ids of their own."""
    return iter(product.create_realms(*["alice@example.com"] * 4))


@pytest.fixture
def eventstream(product: Product, new_realms: Iterator[ProductRealm], tmp_path: Path) -> Iterator[Application]:
    words = python_app("django_eventstream_app.py")
    with run_application(product, next(new_realms), words, str(tmp_path)) as application:
        yield application


def send(application: Application, value: object, *, lost: bool = False) -> None:
    application.post("/send/room/" + ("?lost" if lost else ""), json.dumps(value))


def values(lines: list[str]) -> list[object]:
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def test_events_arrive_with_their_ids(eventstream: Application):
    with streaming(f"{eventstream.site}/events/?channel=room") as stream:
        stream.until("event: stream-open")
        for number in range(1, 4):
            send(eventstream, {"n": number})
        stream.until('data: {"n": 3}')

        assert values(stream.lines) == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert [line for line in stream.lines if line.startswith("id: ")] == ["id: room:1", "id: room:2", "id: room:3"]


def test_a_client_that_comes_back_gets_what_it_missed(eventstream: Application):
    for number in range(1, 4):
        send(eventstream, {"n": number})
    with streaming(f"{eventstream.site}/events/?channel=room", Last_Event_ID="room:1") as stream:
        stream.until('data: {"n": 3}')
        send(eventstream, {"n": 4})
        stream.until('data: {"n": 4}')

        assert values(stream.lines) == [{"n": 2}, {"n": 3}, {"n": 4}]


def test_an_event_that_never_reached_the_edge_is_recovered(eventstream: Application):
    with streaming(f"{eventstream.site}/events/?channel=room") as stream:
        stream.until("event: stream-open")
        send(eventstream, {"n": 1})
        stream.until('data: {"n": 1}')
        send(eventstream, {"n": 2}, lost=True)
        send(eventstream, {"n": 3})
        stream.until('data: {"n": 3}')

        assert values(stream.lines) == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.browser
def test_the_page_of_django_eventstream_in_chromium(eventstream: Application, chromium: Browser):
    with open_page(chromium, eventstream.page) as page:
        page.wait_for_function("source.readyState === 1")
        for number in range(1, 4):
            eventstream.post("/send/page/", json.dumps({"n": number}))
        page.wait_for_function("got.length >= 3")

        assert page.evaluate("got") == [["page:1", {"n": 1}], ["page:2", {"n": 2}], ["page:3", {"n": 3}]]


# -- @fanoutio/eventstream


@pytest.fixture(scope="module")
def node_eventstream(product: Product, node_packages: Path) -> Iterator[Application]:
    words = ["node", node_packages / "apps" / "express_eventstream.mjs"]
    with run_application(product, product.create_realm(), words) as application:
        yield application


def test_events_of_the_node_library_arrive(node_eventstream: Application, channel: str):
    with streaming(f"{node_eventstream.site}/events/{channel}") as stream:
        stream.until("event: stream-open")
        for number in range(3):
            node_eventstream.post(f"/send/{channel}", json.dumps({"n": number}))
        stream.until('data: {"n":2}')

        assert values(stream.lines) == [{"n": 0}, {"n": 1}, {"n": 2}]


@pytest.mark.browser
def test_the_page_of_the_node_library_in_chromium(node_eventstream: Application, chromium: Browser):
    with open_page(chromium, node_eventstream.page) as page:
        page.wait_for_function("source.readyState === 1")
        node_eventstream.post("/send/page", json.dumps({"n": 1}))
        page.wait_for_function("got.length >= 1")

        assert page.evaluate("got") == [{"n": 1}]
