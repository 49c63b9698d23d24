"""What the kernel tells of a connection."""

import asyncio
import sys

import pytest

from fanoutcloud.edge.reporting.tcp_counters import read_counters
from tests.fakes.sink import RecordingSink


class SocketSink:
    """A sink over a transport, as those of held connections are."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO is Linux's")
async def test_bytes_are_counted_once_they_have_arrived() -> None:
    async with asyncio.timeout(10):
        served = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(lambda reader, writer: served.set_result(writer), "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        reader, writer = await asyncio.open_connection(host, port)
        ours = await served
        before, _ = read_counters(SocketSink(ours.transport))

        ours.write(b"x" * 5000)
        await reader.readexactly(5000)
        after, round_trip_s = read_counters(SocketSink(ours.transport))
        writer.close()
        await writer.wait_closed()
        ours.close()
        server.close()

    assert before is not None
    assert after is not None
    assert after - before == 5000
    assert round_trip_s is not None
    assert 0 < round_trip_s < 5


def test_a_sink_without_a_socket_says_nothing() -> None:
    assert read_counters(RecordingSink()) == (None, None)
    assert read_counters(SocketSink(asyncio.Transport())) == (None, None)
