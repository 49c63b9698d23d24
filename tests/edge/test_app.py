"""A realm's site as a whole: what is refused is told to who watches, on every transport."""

from typing import Any

import pytest

from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.activity import Refused
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.edge.app import EdgeApp
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.site.sites import Site
from tests.edge.worlds import REALM
from tests.fakes.activity import RecordingActivity
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory


async def _ask(kind: str, path: str, query: str) -> tuple[list[Any], list[Any]]:
    """Ask a watched realm's site; return the ASGI messages that it sends and the events that watchers get."""
    clock, activity = SteppedClock(), RecordingActivity(REALM)
    hub = Hub(broker=MemoryBroker(clock), activity=activity, limits=EdgeLimits(), clock=clock)
    realm = RealmSnapshot(realm=REALM, keys=(), retention=Retention())
    app = EdgeApp(hub=hub, directory=FakeDirectory(realm))
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [],
        "client": ("192.0.2.7", 5000),
    }
    await app.serve(Site(REALM, path), scope, receive, send)
    return sent, [event for _, event in activity.events]


@pytest.mark.parametrize("path", ["/fanout/sse", "/fanout/stream", "/fanout/poll"])
async def test_a_refused_request_is_told_to_who_watches(path: str):
    sent, events = await _ask("http", path, "channel=")

    assert sent[0]["status"] == 400
    assert [(event.status, event.field, event.address) for event in events if isinstance(event, Refused)] == [
        (400, "channel", "192.0.2.7")
    ]


@pytest.mark.parametrize(("path", "status"), [("/fanout/sse", 400), ("/robots.txt", 200), ("/", 404)])
async def test_no_answer_of_a_site_is_indexed(path: str, status: int):
    sent, _ = await _ask("http", path, "")

    assert sent[0]["status"] == status
    assert (b"x-robots-tag", b"noindex, nofollow") in sent[0]["headers"]


async def test_robots_are_told_to_stay_away():
    sent, _ = await _ask("http", "/robots.txt", "")

    assert sent[1]["body"] == b"User-agent: *\nDisallow: /\n"


async def test_a_refused_websocket_is_told_to_who_watches():
    sent, events = await _ask("websocket", "/fanout/ws", "channel=a&since=yesterday")

    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert sent[-1]["code"] == 3400
    assert [(event.code, event.field) for event in events if isinstance(event, Refused)] == [
        ("invalid_request", "since")
    ]
