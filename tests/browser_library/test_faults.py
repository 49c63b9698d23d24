"""Whatever happens to the connection, what the page gets is what was published: no gap, no repeat."""

import pytest

from tests.browser_library.pages import Reader, publishing
from tests.fakes.faulty_proxy import FaultyProxy
from tests.servers.product import ProductRealm

TRANSPORTS = ["ws", "sse", "stream", "poll"]


def expect_all(reader: Reader, channel: str, numbers: list[int]) -> None:
    """Compare what came with what was published, to the last item."""
    assert numbers, "nothing was published"
    assert reader.until(channel, len(numbers)) == numbers
    assert reader.get("resets") == []
    assert reader.get("errors") == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_network_that_is_cut_for_a_moment(
    reader: Reader, proxy: FaultyProxy, realm: ProductRealm, channel: str, transport: str
):
    reader.open({"transports": [transport]})
    reader.read(channel)
    with publishing(realm, channel) as numbers:
        reader.until(channel, 10)
        proxy.go_down()
        reader.pause(500)
        proxy.come_up()
        reader.until(channel, len(numbers) + 10)

    expect_all(reader, channel, numbers)
    assert reader.get("client.transport") == transport
    assert "reconnecting" in reader.get("states.map(({ state }) => state)")
