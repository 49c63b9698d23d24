"""A name server of the test, over the wire."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

A, TXT, AAAA = 1, 16, 28


class NameServer(asyncio.DatagramProtocol):
    """Answers from a dictionary: (name, type) → record data. Others do not exist; None: no answer at all."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[bytes] | None] = {}
        self.questions: list[str] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override] # it is one
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, kind, question = _read_question(data)
        self.questions.append(name)
        known = {one for one, _ in self.records}
        answers = self.records.get((name, kind), [])
        if answers is None:
            return
        flags = 0x8180 if name in known else 0x8183  # NXDOMAIN
        head = data[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(one)) + one for one in answers)
        assert self._transport is not None
        self._transport.sendto(head + question + body, addr)


def _read_question(data: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    kind = struct.unpack(">H", data[at + 1 : at + 3])[0]
    return ".".join(labels).lower(), kind, data[12 : at + 5]


def ipv4(text: str) -> bytes:
    return socket.inet_aton(text)


def text(value: str) -> bytes:
    """Return a TXT record's data."""
    return b"".join(
        bytes([len(part)]) + part for part in (value.encode()[i : i + 255] for i in range(0, len(value), 255))
    )


@contextmanager
def running_name_server() -> Iterator[tuple[NameServer, int]]:
    """Run one in a thread; yield it and its port. Its records may be changed meanwhile."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    transport, server = asyncio.run_coroutine_threadsafe(listening, loop).result(10)
    try:
        yield server, transport.get_extra_info("sockname")[1]
    finally:
        asyncio.run_coroutine_threadsafe(_close(transport), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(transport: asyncio.BaseTransport) -> None:
    transport.close()
    await asyncio.sleep(0)  # the transport lets its socket go in the next round of the loop
    await asyncio.sleep(0)
