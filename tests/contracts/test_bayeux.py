"""What Bayeux promises over each of its transports, on our own server and under Daphne (docs/api/bayeux.md)."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.contracts.bayeux import CLIENTS, BayeuxClient, LongPolling, WebSocketBayeux
from tests.contracts.transports import SiteUnderTest


@pytest.fixture(params=list(CLIENTS))
async def client(request: pytest.FixtureRequest, site: SiteUnderTest) -> AsyncIterator[BayeuxClient]:
    """A client of each transport in turn."""
    async with CLIENTS[request.param](site) as client:
        yield client


async def test_a_handshake_names_the_client_and_advises_it(client: BayeuxClient) -> None:
    reply = await client.shake_hands()

    assert reply.pop("clientId")
    assert reply == {
        "channel": "/meta/handshake",
        "id": "1",
        "successful": True,
        "version": "1.0",
        "supportedConnectionTypes": [
            "long-polling",
            "cross-origin-long-polling",
            "callback-polling",
            "websocket",
            "eventsource",
        ],
        "advice": {"reconnect": "retry", "interval": 0, "timeout": 45000},
    }


async def test_connect_and_subscribe_come_together_and_are_answered_in_order(
    client: BayeuxClient, channel: str
) -> None:
    await client.shake_hands()

    connect, subscribe = await client.say(
        {"channel": "/meta/connect", "connectionType": client.kind, "advice": {"timeout": 0}},
        {"channel": "/meta/subscribe", "subscription": f"/{channel}"},
    )

    assert (connect["channel"], connect["successful"], connect["id"]) == ("/meta/connect", True, "2")
    assert subscribe == {
        "channel": "/meta/subscribe",
        "id": "3",
        "clientId": client.client_id,
        "successful": True,
        "subscription": f"/{channel}",
    }


async def test_items_come_in_order_each_once(site: SiteUnderTest, client: BayeuxClient, channel: str) -> None:
    await client.begin(f"/{channel}")
    for number in range(0, 30, 3):
        await site.publish(channel, number, number + 1, number + 2)

    assert await client.data(30) == list(range(30))


async def test_a_delivery_has_channel_data_and_id_and_nothing_else(
    site: SiteUnderTest, client: BayeuxClient, channel: str
) -> None:
    await client.begin(f"/{channel}/a")
    await site.publish_items({"channel": f"{channel}/a", "id": "18", "json-object": {"home": 2, "away": None}})

    await client.data(1)

    assert client.delivered == [{"channel": f"/{channel}/a", "data": {"home": 2, "away": None}, "id": "18"}]


async def test_a_connect_is_held_until_there_is_an_item(
    site: SiteUnderTest, client: BayeuxClient, channel: str
) -> None:
    await client.begin(f"/{channel}")

    held = asyncio.ensure_future(client.data(1))
    await asyncio.sleep(0)
    await site.publish(channel, "now")

    assert await held == ["now"]


async def test_a_connect_without_items_is_answered_when_its_time_is_up(client: BayeuxClient, channel: str) -> None:
    await client.begin(f"/{channel}")

    reply = await client.connect(50)

    assert (reply["successful"], reply["advice"]["reconnect"]) == (True, "retry")
    assert not client.delivered


async def test_what_comes_between_two_connects_is_kept(site: SiteUnderTest, channel: str) -> None:
    client = await LongPolling(site).begin(f"/{channel}")
    await site.publish(channel, *range(590))  # more than a session's queue has room for; history keeps the rest

    assert await client.data(590) == list(range(590))


async def test_a_client_is_told_when_items_are_gone_for_good(site: SiteUnderTest, channel: str) -> None:
    client = await LongPolling(site).begin(f"/{channel}")
    await site.publish(channel, *range(700))

    async with asyncio.timeout(15):
        while "ext" not in (reply := await client.connect(200)):
            pass
    await site.publish(channel, "goes on")

    assert reply["ext"] == {"lost": [f"/{channel}"]}
    assert await client.data(501) == [*range(500), "goes on"]


async def test_a_second_connect_ends_the_first(site: SiteUnderTest, channel: str) -> None:
    client = await LongPolling(site).begin(f"/{channel}")

    first = asyncio.ensure_future(client.connect())
    await asyncio.sleep(0.05)  # nothing tells that a request is held
    second = asyncio.ensure_future(client.connect())

    assert (await first)["successful"]
    await site.publish(channel, "once")
    await second
    assert [message["data"] for message in client.delivered] == ["once"]


async def test_several_channels_in_one_subscription(site: SiteUnderTest, client: BayeuxClient, channel: str) -> None:
    names = [f"/{channel}/{end}" for end in "abc"]
    await client.shake_hands()

    reply = await client.subscribe(*names)
    for name in names:
        await site.publish(name[1:], name)

    assert reply["subscription"] == names
    assert sorted(await client.data(3)) == names


async def test_after_unsubscribing_nothing_comes(site: SiteUnderTest, client: BayeuxClient, channel: str) -> None:
    await client.begin(f"/{channel}/a", f"/{channel}/b")

    [reply] = await client.say({"channel": "/meta/unsubscribe", "subscription": f"/{channel}/a"})
    await site.publish(f"{channel}/a", "no")
    await site.publish(f"{channel}/b", "yes")

    assert (reply["successful"], reply["subscription"]) == (True, f"/{channel}/a")
    assert await client.data(1) == ["yes"]


async def test_subscribing_twice_is_safe(site: SiteUnderTest, client: BayeuxClient, channel: str) -> None:
    await client.begin(f"/{channel}")

    assert (await client.subscribe(f"/{channel}"))["successful"]
    await site.publish(channel, 1, 2)

    assert await client.data(2) == [1, 2]


async def test_a_client_that_said_goodbye_is_unknown(client: BayeuxClient, channel: str) -> None:
    await client.begin(f"/{channel}")

    [goodbye] = await client.say({"channel": "/meta/disconnect"})
    reply = await client.connect(0)

    assert goodbye["successful"]
    assert (reply["successful"], reply["advice"]["reconnect"]) == (False, "handshake")


async def test_an_unknown_client_is_to_shake_hands_again(client: BayeuxClient) -> None:
    client.client_id = "never-heard-of"

    reply = await client.connect(0)

    assert reply["error"] == "401:never-heard-of:Unknown client"
    assert reply["advice"] == {"reconnect": "handshake", "interval": 0}


async def test_a_client_of_another_realm_is_unknown(site: SiteUnderTest, channel: str) -> None:
    client = await LongPolling(site).begin(f"/{channel}")
    other = site._product.create_realm()
    site.realm = other

    assert (await client.connect(0))["error"].startswith("401:")


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"channel": "/meta/handshake", "supportedConnectionTypes": ["long-polling"]}, "402:version:"),
        ({"channel": "/meta/handshake", "version": "1.0"}, "402:supportedConnectionTypes:"),
        ({"channel": "/meta/handshake", "version": "2.0", "supportedConnectionTypes": ["long-polling"]}, "300:2.0:"),
        (
            {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["iframe", "x"]},
            "301:iframe,x:",
        ),
        ({"channel": "/meta/connect", "connectionType": "long-polling", "clientId": None}, "402:clientId:"),
        ({"channel": "/meta/connect"}, "402:connectionType:"),
        ({"channel": "/meta/connect", "connectionType": "iframe"}, "301:iframe:"),
        ({"channel": "/meta/subscribe"}, "402:subscription:"),
        ({"channel": "/meta/subscribe", "subscription": "scores"}, "405:scores:Invalid channel"),
        ({"channel": "/meta/subscribe", "subscription": "/a//b"}, "405:/a//b:Invalid channel"),
        ({"channel": "/meta/subscribe", "subscription": "/a.b"}, "405:/a.b:Invalid channel"),
        ({"channel": "/meta/subscribe", "subscription": "/meta/connect"}, "403:/meta/connect:Forbidden channel"),
        ({"channel": "/meta/subscribe", "subscription": ["/a", "/b/*"]}, "403:/b/*:Forbidden channel"),
        ({"channel": "/meta/subscribe", "subscription": "/**"}, "403:/**:Forbidden channel"),
        ({"channel": "/meta/unsubscribe"}, "402:subscription:"),
        ({"channel": "/meta/other"}, "403:/meta/other:Forbidden channel"),
        ({"channel": "/scores", "data": 1}, "403:/scores:Forbidden channel"),
        ({"channel": "/scores"}, "402:data:"),
        ({"channel": "scores", "data": 1}, "405:scores:Invalid channel"),
        ({}, "405::Invalid channel"),
    ],
)
async def test_what_cant_be_done_is_answered_with_its_code(
    client: BayeuxClient, message: dict[str, object], error: str
) -> None:
    await client.shake_hands()

    [reply] = await client.say(dict(message))

    assert not reply["successful"]
    assert reply["error"].startswith(error)
    assert "data" not in reply


async def test_one_message_alone_needs_no_list(site: SiteUnderTest) -> None:
    message = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}

    answer = await site.get("/bayeux/", method="POST", json=message)

    assert answer.json()[0]["successful"]


@pytest.mark.parametrize("body", ["", "nonsense", "[1]", '["a"]', "[[]]", "[" * 5000, '{"channel":"\ud800"}', "null"])
async def test_what_is_no_message_is_refused(site: SiteUnderTest, body: str) -> None:
    content = body.encode(errors="surrogatepass")

    answer = await site.get("/bayeux", method="POST", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400


async def test_an_empty_batch_has_an_empty_answer(site: SiteUnderTest) -> None:
    assert (await site.get("/bayeux", method="POST", json=[])).json() == []


async def test_a_large_body_is_refused(site: SiteUnderTest) -> None:
    assert (await site.get("/bayeux", method="POST", content=b" " * 140_000)).status_code == 413


async def test_a_get_without_messages_is_refused(site: SiteUnderTest) -> None:
    assert (await site.get("/bayeux")).status_code == 400


@pytest.mark.parametrize("name", ["alert(1)", "a-b", "a[0]", "<script>", "1a", "a..b", "a" * 300])
async def test_only_names_are_called_back(site: SiteUnderTest, name: str) -> None:
    answer = await site.get("/bayeux", params={"message": "[]", "jsonp": name})

    assert answer.status_code == 400
    assert name not in answer.text or answer.headers["content-type"] == "application/json"


async def test_callbacks_may_have_dots_and_get_scripts_that_cant_be_mistaken(site: SiteUnderTest) -> None:
    answer = await site.get("/bayeux", params={"message": "[]", "jsonp": "a.b.$_1"})

    assert answer.text == "/**/a.b.$_1([]);\n"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]


async def test_line_separators_end_no_string_of_a_script(site: SiteUnderTest, channel: str) -> None:
    client = await CLIENTS["callback-polling"](site).begin(f"/{channel}")
    await site.publish(channel, "\u2028\u2029")

    assert await client.data(1) == ["\u2028\u2029"]


async def test_the_preflight_allows_what_fayes_clients_send(site: SiteUnderTest) -> None:
    answer = await site.get("/bayeux", method="OPTIONS", headers={"Origin": "https://page.example"})

    allowed = answer.headers["access-control-allow-headers"].lower()
    assert answer.status_code == 200
    assert {"accept", "authorization", "content-type", "pragma", "x-requested-with"} == set(allowed.split(", "))
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    assert answer.headers["access-control-max-age"] == "86400"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_other_methods_are_not_offered(site: SiteUnderTest, method: str) -> None:
    answer = await site.get("/bayeux", method=method)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")


async def test_an_empty_frame_is_answered_with_one(site: SiteUnderTest) -> None:
    async with WebSocketBayeux(site) as client:
        assert isinstance(client, WebSocketBayeux)
        await client.socket.send("[]")

        assert await client.socket.recv() == "[]"


async def test_over_websocket_items_come_without_a_connect(site: SiteUnderTest, channel: str) -> None:
    async with WebSocketBayeux(site) as client:
        assert isinstance(client, WebSocketBayeux)
        await client.begin(f"/{channel}")
        await site.publish(channel, "pushed")

        async with asyncio.timeout(15):
            while (frame := json.loads(await client.socket.recv())) == []:  # a keep-alive
                pass
    assert frame == [{"channel": f"/{channel}", "data": "pushed"}]


async def test_a_session_goes_on_after_its_websocket_broke(site: SiteUnderTest, channel: str) -> None:
    async with WebSocketBayeux(site) as client:
        await client.begin(f"/{channel}")
        client_id = client.client_id
    await site.publish(channel, "meanwhile")
    async with WebSocketBayeux(site) as again:
        again.client_id = client_id

        assert await again.data(1) == ["meanwhile"]


async def test_an_event_source_gets_what_comes_for_its_client(site: SiteUnderTest, channel: str) -> None:
    client = await LongPolling(site).begin(f"/{channel}")
    url = f"{site.url}{site.path}/bayeux/{client.client_id}"

    async with site.http.stream("GET", url, headers={"Accept": "text/event-stream"}) as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        reply = await client.connect(connectionType="eventsource")
        await site.publish(channel, "down the stream")
        data = ""
        while not data:
            line = await anext(lines)
            data = line.removeprefix("data: ") if line.startswith("data: ") else ""

    assert reply["advice"] == {"reconnect": "retry", "interval": 45000, "timeout": 0}
    assert json.loads(data) == [{"channel": f"/{channel}", "data": "down the stream"}]


async def test_an_event_source_of_an_unknown_client_sends_it_to_shake_hands(site: SiteUnderTest) -> None:
    answer = await site.get("/bayeux/nobody", headers={"Accept": "text/event-stream"})

    [message] = json.loads(answer.text.removeprefix("data: "))
    assert answer.headers["content-type"] == "text/event-stream"
    assert message["advice"] == {"reconnect": "handshake", "interval": 0}


@pytest.mark.parametrize("path", ["/bayeux/static/faye-browser-min.js", "/bayeux/client.js", "/bayeux.js"])
async def test_the_script_for_pages_is_served(site: SiteUnderTest, path: str) -> None:
    answer = await site.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/javascript")
    assert "Faye" in answer.text
