"""Compression that all subscribers share: what is agreed to, what is compressed, and that clients understand it."""

import json
import os
import zlib

import pytest
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.connections.held_websocket import HeldDeflatedWebSocket
from fanoutcloud.edge.encoding.compression import (
    COMPRESS_OVER_BYTES,
    COMPRESS_UP_TO_BYTES,
    accepts_compression,
    deflated_frame,
)
from fanoutcloud.edge.encoding.frames import RSV1, websocket_frame
from fanoutcloud.edge.encoding.wire import DEFLATED_WEBSOCKET, PREPARED_WEBSOCKET
from fanoutcloud.edge.limits import EdgeLimits
from tests.fakes.owner import RecordingOwner
from tests.fakes.transport import FakeTransport
from tests.flows.edges import REALM, running_edge

LARGE = json.dumps({"text": "the same again, " * 200})


def _stored(text: str) -> StoredItem:
    return StoredItem(StreamPosition("abcdefgh", 1), Item(channel=ChannelName("news"), json_object=text.encode()))


def _deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize(
    ("offer", "is_accepted"),
    [
        ("permessage-deflate", True),
        ("permessage-deflate; client_max_window_bits", True),
        ("permessage-deflate; server_no_context_takeover; client_max_window_bits=10", True),
        ("x-webkit-deflate-frame, permessage-deflate; client_no_context_takeover", True),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", True),
        ("permessage-deflate; server_max_window_bits=10", False),
        ("permessage-deflate; unknown=1", False),
        ("x-webkit-deflate-frame", False),
        ("permessage-deflate; ; =", False),
        ("", False),
    ],
)
def test_only_offers_are_accepted_whose_bytes_can_be_shared(offer: str, *, is_accepted: bool) -> None:
    assert accepts_compression([(b"sec-websocket-extensions", offer.encode())]) is is_accepted


def test_without_an_offer_there_is_no_compression() -> None:
    assert not accepts_compression([(b"host", b"localhost")])


@pytest.mark.parametrize("size", [COMPRESS_OVER_BYTES, COMPRESS_UP_TO_BYTES + 1])
def test_small_and_huge_messages_stay_as_they_are(size: int) -> None:
    assert deflated_frame(b"x" * size) == websocket_frame(b"x" * size)


def test_what_does_not_get_smaller_stays_as_it_is() -> None:
    noise = os.urandom(2000)

    assert deflated_frame(noise) == websocket_frame(noise)


def test_a_large_item_is_compressed_into_the_message_that_others_get() -> None:
    stored = _stored(LARGE)
    plain = PREPARED_WEBSOCKET.item(stored)

    frame = DEFLATED_WEBSOCKET.item(stored)

    assert frame[0] == 0xC1
    assert len(frame) < len(plain) / 10
    content = frame[2:] if frame[1] < 126 else frame[4:]
    assert zlib.decompressobj(wbits=-15).decompress(content + b"\x00\x00\xff\xff") == plain[4:]


@pytest.fixture
async def held() -> tuple[HeldDeflatedWebSocket, RecordingOwner, FakeTransport]:
    transport, owner = FakeTransport(), RecordingOwner()
    limits = EdgeLimits(max_message_bytes=5000)
    return HeldDeflatedWebSocket(transport, owner, limits=limits, connections=set()), owner, transport


def _masked(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True, rsv1: bool = False) -> bytes:
    head, *rest = Frame(opcode, data, fin).serialize(mask=True)
    return bytes([head | (RSV1 if rsv1 else 0), *rest])


async def test_clients_may_compress_whole_messages_fragments_or_nothing(
    held: tuple[HeldDeflatedWebSocket, RecordingOwner, FakeTransport],
) -> None:
    socket, owner, _ = held
    deflated = _deflate(b"hello " * 100)

    socket.data_received(_masked(deflated, rsv1=True))
    socket.data_received(_masked(b"plain"))
    socket.data_received(_masked(deflated[:5], fin=False, rsv1=True) + _masked(deflated[5:], Opcode.CONT))

    assert owner.texts == ["hello " * 100, "plain", "hello " * 100]
    assert socket._protocol is not None
    assert not hasattr(socket._protocol.extensions[0], "decoder")  # nothing is kept between messages


@pytest.mark.parametrize(
    ("data", "code"), [(_deflate(b"\0" * 5_000_000), 1009), (b"no deflate at all", 1002)], ids=["bomb", "noise"]
)
async def test_bombs_and_noise_end_the_connection(
    held: tuple[HeldDeflatedWebSocket, RecordingOwner, FakeTransport], data: bytes, code: int
) -> None:
    socket, owner, transport = held

    socket.data_received(_masked(data, rsv1=True))

    assert owner.violations == [code]
    assert transport.closed_by == "close"


@pytest.mark.parametrize("compresses", [True, False])
@pytest.mark.parametrize("asks", [True, False])
async def test_a_real_client_gets_live_and_kept_items_either_way(*, compresses: bool, asks: bool) -> None:
    async with running_edge(EdgeLimits(compresses=compresses)) as edge:
        extensions = [ClientPerMessageDeflateFactory(client_max_window_bits=True)] if asks else None
        address = f"ws://localhost:{edge.port}/r/{REALM}/fanout/ws?channel=news"
        async with connect(address, extensions=extensions, compression=None) as client:
            welcome, subscribed = [json.loads(await client.recv()) for _ in range(2)]
            assert (welcome["type"], subscribed["type"]) == ("welcome", "subscribed")
            assert bool(client.protocol.extensions) is (compresses and asks)

            await edge.publish("news", LARGE, "1")
            assert [json.loads(await client.recv())["data"] for _ in range(2)] == [json.loads(LARGE), 1]
            await client.send(json.dumps({"type": "ping", "x": "y" * 2000}))
            assert json.loads(await client.recv())["type"] == "pong"

        address += f"&since={subscribed['position']}"
        async with connect(address, extensions=extensions, compression=None) as again:
            kinds = [json.loads(await again.recv())["type"] for _ in range(4)]
            assert kinds == ["welcome", "subscribed", "item", "item"]
