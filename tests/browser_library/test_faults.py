"""Whatever happens to the connection, what the page gets is what was published: no gap, no repeat."""

import pytest

from tests.browser_library.pages import IS_FULL, TRANSPORTS, Reader, publishing, some
from tests.fakes.faulty_proxy import FaultyProxy
from tests.servers.product import Product, ProductRealm

#: `make try-fanout-js` takes its time: cuts of a second and of a minute, proxies that wait for half a minute.
CUTS_S = [1.0, 60.0] if IS_FULL else [0.3]
IDLE_LIMIT_S = 30.0 if IS_FULL else 1.8


def expect_all(reader: Reader, channel: str, numbers: list[int]) -> None:
    """Compare what came with what was published, to the last item."""
    assert numbers, "nothing was published"
    assert reader.until(channel, len(numbers)) == numbers
    assert reader.get("resets") == []
    assert reader.get("errors") == []


def states(reader: Reader) -> list[str]:
    found: list[str] = reader.get("states.map(({ state }) => state)")
    return found


@pytest.mark.parametrize("cut_s", CUTS_S)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_network_that_is_cut_for_a_moment(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str, transport: str, cut_s: float
):
    reader.open({"transports": [transport]})
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.until(channel, 5)
        proxy.go_down()
        reader.pause(int(1000 * cut_s))
        proxy.come_up()
        reader.until(channel, len(numbers) + 5)

    expect_all(reader, channel, numbers)
    assert reader.get("client.transport") == transport
    assert "reconnecting" in states(reader)


def test_a_network_that_swallows_everything_is_noticed_by_its_silence(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str
):
    reader.open({"transports": ["ws"]})
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.until(channel, 5)
        proxy.swallows = True
        reader.wait_for("states.some(({ reason }) => reason === 'silent')")
        proxy.heal()
        reader.until(channel, len(numbers) + 5)

    expect_all(reader, channel, numbers)


def test_a_proxy_that_buffers_is_got_around_by_polling(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str
):
    proxy.buffers = True
    reader.open()
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.until(channel, 5)

    expect_all(reader, channel, numbers)
    assert reader.get("client.transport") == "poll"


def test_a_proxy_that_refuses_websockets(reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str):
    proxy.drops_upgrades = True
    reader.open()
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.until(channel, 5)

    expect_all(reader, channel, numbers)
    assert reader.get("client.transport") == "sse"
    assert "reconnecting" not in states(reader)


def test_a_proxy_that_kills_websockets_is_left_for_another_transport(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str
):
    proxy.websocket_life_s = 0.2
    reader.open()
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.wait_for("client.transport === 'sse'")
        reader.until(channel, len(numbers) + 5)

    expect_all(reader, channel, numbers)


def test_a_better_transport_is_taken_once_it_works_again(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str
):
    proxy.drops_upgrades = True
    reader.open({"upgradeAfter": 200})
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.until(channel, 5)
        proxy.heal()
        reader.wait_for("client.transport === 'ws'")
        reader.until(channel, len(numbers) + 5)

    expect_all(reader, channel, numbers)
    assert "reconnecting" not in states(reader)


@pytest.mark.parametrize("transport", some("ws", "sse"))
def test_a_proxy_that_drops_idle_connections_meets_none(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str, transport: str
):
    proxy.idle_limit_s = IDLE_LIMIT_S  # the server speaks every second
    reader.open({"transports": [transport]})
    reader.read(channel)
    reader.pause(int(1400 * IDLE_LIMIT_S))
    with publishing(realm, channel) as numbers:
        reader.until(channel, 3)

    expect_all(reader, channel, numbers)
    assert states(reader) == ["connecting", "connected"]


def test_a_proxy_that_answers_502_for_a_while(reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str):
    reader.open()
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.until(channel, 5)
        proxy.answers_502 = True
        proxy.cut()
        reader.wait_for("states.filter(({ state }) => state === 'reconnecting').length > 3")
        proxy.heal()
        reader.until(channel, len(numbers) + 5)

    expect_all(reader, channel, numbers)


def test_two_hundred_channels_over_a_cut(reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str):
    names = [f"{channel}.{number}" for number in range(200)]
    reader.open()
    reader.read(*names)
    with publishing(realm, *names, every_s=0.1) as numbers:
        reader.until(names[0], 2)
        proxy.cut()
        reader.until(names[-1], len(numbers) + 2)

    for name in names:
        reader.until(name, len(numbers))
    assert reader.get("Object.values(received)") == [numbers] * 200
    assert reader.get("resets") == []


def test_two_hundred_channels_over_requests(reader: Reader, realm: ProductRealm, channel: str):
    names = [f"{channel}.{number}" for number in range(200)]
    reader.open({"transports": ["stream"]})
    reader.read(*names)
    with publishing(realm, *names, every_s=0.1) as numbers:
        reader.until(names[0], 2)

    for name in names:
        reader.until(name, len(numbers))
    assert reader.get("Object.values(received)") == [numbers] * 200


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again(
    reader: Reader, edges: tuple[Product, Product], realm: ProductRealm, channel: str
):
    reader.open({"readyTimeout": 4000, "connectTimeout": 10_000})
    reader.read(channel)
    with publishing(realm, channel, every_s=0.05) as numbers:
        reader.until(channel, 5)
        edges[0].kill()
        reader.wait_for("client.state === 'reconnecting'")
        edges[0].start()
        reader.until(channel, len(numbers) + 5)

    expect_all(reader, channel, numbers)
