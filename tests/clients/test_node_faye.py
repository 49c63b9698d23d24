"""JavaScript `faye` in Node.js, unmodified: over WebSocket, which it prefers, and over long-polling."""

import pytest

from tests.clients.conftest import Run

SET_UP = """
const faye = require("faye");
const client = new faye.Client(realm.site + "/bayeux");
const TRANSPORT = "@transport@";
if (TRANSPORT === "long-polling") client.disable("websocket");
const publish = (...items) => fetch(realm.api + "/publish/", {
    method: "POST",
    headers: { Authorization: "Bearer " + realm.key },
    body: JSON.stringify({ items }),
});
const send = (...values) => publish(...values.map((value) => ({ channel, "json-object": value })));
const received = [];
let told = () => {};
const subscribe = (name) => client.subscribe("/" + name, (data) => { received.push(data); told(); });
const until = async (count) => {
    while (received.length < count) await new Promise((done) => { told = done; });
    return received;
};
const leave = async () => { await client.disconnect(); process.exit(0); };
"""


@pytest.fixture(params=["websocket", "long-polling"])
def set_up(request: pytest.FixtureRequest) -> str:
    return SET_UP.replace("@transport@", request.param)


def test_items_arrive_in_order(run_node: Run, set_up: str):
    [told] = run_node(
        set_up
        + """
await subscribe(channel);
for (let n = 0; n < 12; n += 3) await send(n, n + 1, n + 2);
tell(await until(12), client._dispatcher.connectionType);
await leave();
"""
    )

    assert told[0] == list(range(12))
    assert told[1] in set_up


def test_several_channels_and_unsubscribing(run_node: Run, set_up: str):
    [told] = run_node(
        set_up
        + """
const [a, b] = [await subscribe(channel + "/a"), await subscribe(channel + "/b")];
const aGone = client.subscribe("/" + channel + "/c", () => {});
await aGone;
await publish({ channel: channel + "/a", "json-object": 1 });
await until(1);
client.unsubscribe("/" + channel + "/a");
await client.subscribe("/" + channel + "/d", () => {});
await publish({ channel: channel + "/a", "json-object": 2 }, { channel: channel + "/b", "json-object": 3 });
tell(await until(2));
await leave();
"""
    )

    assert told == [[1, 3]]


@pytest.mark.parametrize(("name", "code"), [("/a.b", 405), ("/meta/x", 403), ("/a/*", 403)])
def test_a_refused_channel_fails_the_subscription(run_node: Run, set_up: str, name: str, code: int):
    [told] = run_node(
        set_up
        + f"""
try {{ await client.subscribe("{name}", () => {{}}); }} catch (error) {{ tell(error.code, error.params); }}
await leave();
"""
    )

    assert told == [code, [name]]


def test_publishing_by_subscribers_is_refused(run_node: Run, set_up: str):
    [told] = run_node(
        set_up
        + """
await subscribe(channel);
try { await client.publish("/" + channel, { x: 1 }); } catch (error) { tell(error.code, error.message); }
await leave();
"""
    )

    assert told == [403, "Forbidden channel"]


def test_extensions_change_what_is_sent_and_disturb_nothing(run_node: Run, set_up: str):
    [told] = run_node(
        set_up
        + """
client.addExtension({
    outgoing: (message, done) => { message.ext = { auth_token: "x", more: [1, { a: null }] }; done(message); },
});
await subscribe(channel);
await send("arrived");
tell(await until(1));
await leave();
"""
    )

    assert told == [["arrived"]]
