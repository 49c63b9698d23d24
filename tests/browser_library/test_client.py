"""What fanout.js can do beside staying connected, in Chromium: publish, presence, history, tokens, choices, tabs."""

import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser

from tests.browser_library.conftest import make_token
from tests.browser_library.pages import IS_FULL, Reader, open_reader, publishing, some
from tests.fakes.faulty_proxy import FaultyProxy
from tests.servers.product import ProductRealm
from tests.servers.publishing import publish, publish_items

#: A page leads no more, and a tab of it says goodbye for so long that whoever leads next hears it at once.
_LEAVE_AGAIN_AND_AGAIN = """(key) => {
    client.close();
    const air = new BroadcastChannel(key);
    setInterval(() => air.postMessage({ from: "gone", verb: "bye" }), 1);
}"""


@pytest.fixture
def open_another(chromium: Browser, proxy: FaultyProxy, realm: ProductRealm, _customers_page: str) -> Iterator[Any]:
    """Open pages of other browsers."""
    opened = []

    def open_one() -> Reader:
        opened.append(open_reader(chromium, _customers_page, f"http://127.0.0.1:{proxy.port}/r/{realm.realm}"))
        return opened[-1].__enter__()

    yield open_one
    for one in opened:
        one.__exit__(None, None, None)


def unique(prefix: str) -> str:
    return f"{prefix}.{secrets.token_hex(4)}"


@pytest.mark.parametrize("transport", ["ws", "sse"])
@pytest.mark.parametrize("is_known", [False, True], ids=["stranger", "user"])
def test_a_page_publishes_in_order(reader: Reader, realm: ProductRealm, transport: str, is_known: bool):
    channel = unique("chat")
    reader.open({"transports": [transport], **({"token": make_token(realm)} if is_known else {})})
    reader.read(channel)
    told = reader.page.evaluate(
        "(name) => Promise.all([0, 1, 2, 3].map((n) => client.channel(name).publish(n)))", channel
    )

    assert reader.until(channel, 4) == [0, 1, 2, 3]
    assert [one["position"].split(":")[1] for one in told] == ["1", "2", "3", "4"]


def test_what_is_published_while_the_connection_is_away_arrives_once(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm
):
    channel = unique("chat")
    reader.open({"token": make_token(realm)})
    reader.read(channel)
    proxy.go_down()
    reader.wait_for("client.state === 'reconnecting'")
    reader.get(f"window.done = Promise.all([1, 2, 3].map((n) => client.channel('{channel}').publish(n))), undefined")
    proxy.come_up()
    reader.get("done")

    assert reader.until(channel, 3) == [1, 2, 3]


def test_a_refused_publish_says_why(reader: Reader, channel: str):
    reader.open()
    told = reader.page.evaluate("(name) => client.channel(name).publish(1).catch((error) => ({ ...error }))", channel)

    assert (told["code"], told["status"], told["retryable"]) == ("no_token", 401, False)
    assert told["cure"]


@pytest.mark.parametrize("transport", some("ws", "sse", "poll"))
def test_a_refused_channel_does_not_disturb_others(reader: Reader, realm: ProductRealm, channel: str, transport: str):
    reader.open({"transports": [transport]})
    reader.read(channel, "secret.1")
    publish(realm, channel, "here")

    assert reader.until(channel, 1) == ["here"]
    assert [(error["code"], error["channel"]) for error in reader.get("errors")] == [("no_token", "secret.1")]


@pytest.mark.parametrize("transport", some("ws", "sse", "poll"))
def test_tokens_that_hold_for_a_second_are_replaced_without_a_gap(reader: Reader, realm: ProductRealm, transport: str):
    channel = unique("secret")
    asked: list[str] = []

    def give(reason: str) -> str:
        asked.append(reason)
        return make_token(realm, life_s=1.5)

    reader.page.expose_function("giveToken", give)
    reader.page.evaluate("() => { window.options = { getToken: ({ reason }) => giveToken(reason) }; }")
    reader.open({"transports": [transport]})
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.pause(1800)

    assert reader.until(channel, len(numbers)) == numbers
    assert asked[0] == "connect"
    assert transport == "poll" or len(asked) > 1
    assert reader.get("errors") == []
    assert reader.get("states.map(({ state }) => state)") == ["connecting", "connected"]


def test_a_token_that_does_not_hold_is_asked_for_once_more(reader: Reader, realm: ProductRealm):
    tokens = [make_token(realm, iss="other"), make_token(realm)]
    reader.page.expose_function("giveToken", lambda: tokens.pop(0))
    reader.page.evaluate("() => { window.options = { getToken: () => giveToken() }; }")
    reader.open()
    reader.read("secret.1")

    assert reader.get("client.state") == "connected"
    assert tokens == []


@pytest.mark.parametrize("transport", some("ws", "sse"))
def test_a_token_that_never_holds_ends_it(reader: Reader, realm: ProductRealm, transport: str):
    reader.open({"token": make_token(realm, iss="other"), "transports": [transport]})
    reader.get("void client.channel('secret.1').subscribe(() => {})")
    reader.wait_for("client.state === 'failed'")

    assert [error["code"] for error in reader.get("errors")] == ["wrong_realm"]


@pytest.mark.parametrize("transport", ["sse", "ws"] if IS_FULL else ["sse"])
def test_who_comes_and_goes_is_told(reader: Reader, realm: ProductRealm, open_another: Any, transport: str):
    channel = unique("chat")
    reader.open({"token": make_token(realm, sub="alice"), "transports": [transport]})
    reader.page.evaluate(
        """async (name) => {
            const one = client.channel(name, { presence: true });
            window.told = [];
            one.on("presence", ({ members }) => told.push(members.map(({ user }) => user)));
            one.subscribe(() => {});
        }""",
        channel,
    )
    reader.wait_for("told.at(-1)?.join() === 'alice'")
    bob = open_another()
    bob.open({"token": make_token(realm, sub="bob")})
    bob.read(channel)
    reader.wait_for("told.at(-1)?.join() === 'alice,bob'")
    page = reader.page.evaluate("(name) => client.channel(name).presence()", channel)
    assert (page["count"], [member["user"] for member in page["members"]]) == (2, ["alice", "bob"])
    bob.page.evaluate("client.close()")
    reader.wait_for("told.at(-1)?.join() === 'alice'")


def test_a_channel_begins_with_its_history(reader: Reader, realm: ProductRealm, channel: str):
    publish(realm, channel, *range(10))
    reader.open()
    reader.read(channel, history=3)
    publish(realm, channel, 10)

    assert reader.until(channel, 4) == [7, 8, 9, 10]
    page = reader.page.evaluate("(name) => client.channel(name).history({ limit: 2 })", channel)
    assert [item["data"] for item in page["items"]] == [10, 9]
    assert page["has_more"] is True


def test_history_of_a_channel_in_which_nothing_happened_ends_where_it_begins(
    reader: Reader, realm: ProductRealm, channel: str
):
    reader.open()
    reader.read(channel, history=3)
    publish(realm, channel, 1, 2)

    assert reader.until(channel, 2) == [1, 2]
    assert reader.get(f"client.channel('{channel}').position").endswith(":2")


@pytest.mark.parametrize("transport", ["ws", "stream"])
def test_what_has_changed_becomes_whole_items(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str, transport: str
):
    boards = [{"red": n, "blue": 7, "title": "Finals of the year", "gone": True} for n in range(4)]
    del boards[3]["gone"]
    reader.open({"transports": [transport]})
    reader.read(channel, delta=True)
    for board in boards[:2]:
        publish(realm, channel, board)
    reader.until(channel, 2)
    proxy.cut()
    for board in boards[2:]:
        publish(realm, channel, board)

    assert reader.until(channel, 4) == boards


@pytest.mark.parametrize("transport", some("ws", "poll"))
def test_a_filter_chooses_items(reader: Reader, realm: ProductRealm, channel: str, transport: str):
    reader.open({"transports": [transport]})
    reader.read(channel, filter="level >= 2")
    publish_items(realm, *({"channel": channel, "json-object": n, "tags": {"level": n % 4}} for n in range(8)))

    assert reader.until(channel, 4) == [2, 3, 6, 7]
    assert reader.get("states.length") == 2


@pytest.mark.parametrize("transport", ["ws", "stream"])
def test_a_pattern_brings_its_channels_over_a_cut(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str, transport: str
):
    reader.open({"transports": [transport]})
    reader.page.evaluate(
        """(prefix) => new Promise((done) => {
            const one = client.pattern(prefix + ".*");
            window.got = [];
            one.on("subscribed", done);
            one.subscribe((item) => got.push([item.channel.split(".").pop(), item.data]));
        })""",
        channel,
    )
    publish(realm, f"{channel}.a", 1)
    publish(realm, f"{channel}.b", 2)
    reader.wait_for("got.length === 2")
    proxy.go_down()
    publish(realm, f"{channel}.a", 3)
    proxy.come_up()
    reader.wait_for("got.length === 3")

    assert reader.get("got") == [["a", 1], ["b", 2], ["a", 3]]


def test_items_can_be_awaited_one_by_one(reader: Reader, realm: ProductRealm, channel: str):
    reader.open()
    reader.read(channel)
    reader.page.evaluate(
        """(name) => {
            window.got = [];
            window.loop = (async () => {
                for await (const item of client.channel(name)) {
                    got.push(item.data);
                    if (item.data === 3) return "over";
                }
            })();
        }""",
        channel,
    )
    publish(realm, channel, 1, 2, 3, 4)

    assert reader.get("loop") == "over"
    assert reader.get("got") == [1, 2, 3]


def test_texts_and_bytes_arrive_as_they_are(reader: Reader, realm: ProductRealm, channel: str):
    reader.open({"transports": ["ws"]})
    reader.read(channel)
    publish_items(
        realm,
        {"channel": channel, "ws-message": {"content": "ding"}},
        {"channel": channel, "ws-message": {"content-bin": "/wA=", "type": "binary"}},
    )

    reader.until(channel, 2)
    assert reader.page.evaluate("(name) => [received[name][0], [...received[name][1]]]", channel) == ["ding", [255, 0]]


def test_lost_items_are_told(reader: Reader, proxy: FaultyProxy, realm: ProductRealm):
    channel = unique("brief")
    reader.open()
    reader.read(channel)
    publish(realm, channel, 1)
    reader.until(channel, 1)
    proxy.go_down()
    publish(realm, channel, *range(2, 9))
    proxy.come_up()
    reader.wait_for("resets.length === 1")

    assert reader.get("resets[0].reason") == "history_expired"


def test_channels_come_and_go_and_the_last_one_ends_the_connection(reader: Reader, realm: ProductRealm, channel: str):
    reader.open({"closeAfter": 100})
    reader.read(f"{channel}.a")
    reader.page.evaluate("window.stopA = stop")
    reader.read(f"{channel}.b")
    reader.page.evaluate("stopA()")
    publish(realm, f"{channel}.a", "no")
    publish(realm, f"{channel}.b", "yes")
    reader.until(f"{channel}.b", 1)
    assert reader.page.evaluate("(name) => received[name]", f"{channel}.a") == []
    reader.page.evaluate("stop()")

    reader.wait_for("client.state === 'idle'")


def test_a_hidden_page_pauses_and_goes_on_where_it_was(reader: Reader, realm: ProductRealm, channel: str):
    reader.page.evaluate("""() => Object.defineProperty(document, "hidden", { get: () => window.isHidden ?? false })""")
    reader.open({"pauseAfter": 50})
    reader.read(channel)
    reader.page.evaluate("isHidden = true; document.dispatchEvent(new Event('visibilitychange'))")
    reader.wait_for("client.state === 'paused'")
    publish(realm, channel, 1, 2)
    reader.page.evaluate("isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")

    assert reader.until(channel, 2) == [1, 2]


def test_a_page_that_was_put_to_sleep_goes_on_where_it_was(reader: Reader, realm: ProductRealm, channel: str):
    reader.open()
    reader.read(channel)
    browser = reader.page.context.new_cdp_session(reader.page)
    browser.send("Page.setWebLifecycleState", {"state": "frozen"})
    publish(realm, channel, 1, 2)
    browser.send("Page.setWebLifecycleState", {"state": "active"})
    publish(realm, channel, 3)

    assert reader.until(channel, 3) == [1, 2, 3]


def test_a_browser_that_is_on_line_again_does_not_wait(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str
):
    reader.open({"firstDelay": 600_000, "longestDelay": 600_000})
    reader.read(channel)
    proxy.cut()
    reader.wait_for("client.state === 'reconnecting'")
    reader.page.evaluate("dispatchEvent(new Event('online'))")
    reader.wait_for("client.state === 'connected'")
    publish(realm, channel, 1)

    assert reader.until(channel, 1) == [1]


def test_a_page_that_is_loaded_again_goes_on_where_it_was(reader: Reader, realm: ProductRealm, channel: str):
    reader.open({"persist": True})
    reader.read(channel)
    publish(realm, channel, 1)
    reader.until(channel, 1)
    reader.page.reload()
    publish(realm, channel, 2)
    reader.open({"persist": True})
    reader.read(channel)

    assert reader.until(channel, 1) == [2]


def test_two_tabs_share_one_connection_and_the_second_takes_over(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str
):
    reader.open({"share": True})
    reader.read(channel)
    other = Reader(reader.page.context.new_page(), reader.site)
    other.page.goto(reader.page.url)
    other.open({"share": True})
    other.read(channel)
    with publishing(realm, channel) as numbers:
        reader.until(channel, 5)
        other.until(channel, 5)
        assert sum("/fanout/ws" in line for line in proxy.requests) == 1
        begun = other.page.evaluate("(name) => received[name][0]", channel)
        reader.page.evaluate("client.close()")
        other.until(channel, len(numbers) - begun + 5)
    proxied = [line for line in proxy.requests if "/fanout/ws" in line]

    assert len(proxied) == 2
    assert other.until(channel, len(numbers) - begun) == numbers[begun:]
    assert other.get("resets") == []


def test_a_tab_that_leaves_while_another_takes_over_does_not_end_what_begins(
    reader: Reader, realm: ProductRealm, channel: str
):
    reader.open({"share": True})
    other = Reader(reader.page.context.new_page(), reader.site)
    other.page.goto(reader.page.url)
    other.open({"share": True})
    reader.read(channel)
    other.read(channel)
    reader.page.evaluate(_LEAVE_AGAIN_AND_AGAIN, f"fanout:{reader.site}:")
    publish(realm, channel, 1)

    assert other.until(channel, 1) == [1]


def test_it_runs_under_a_strict_content_policy(reader: Reader, realm: ProductRealm, channel: str):
    site, sockets = reader.site, reader.site.replace("http", "ws")
    policy = f"default-src 'none'; script-src {site}/; connect-src {site}/ {sockets}/"
    reader.page.goto(f"{reader.page.url}?{urlencode({'policy': policy})}")
    reader.open()
    reader.read(channel)
    publish(realm, channel, 1)

    assert reader.until(channel, 1) == [1]
