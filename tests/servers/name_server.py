"""A name server of the test, over the wire."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

A, CNAME, TXT, AAAA = 1, 5, 16, 28
#: A chain of aliases that is longer, or a ring, is cut here.
MAX_ALIASES = 40


class NameServer(asyncio.DatagramProtocol):
    """Answers from a dictionary: (name, type) → record data. Others do not exist; None: no answer at all.

    `aliases` lead from name to name; `turns` are answers that change, the last of them stays. No answer may be kept:
    its time to live is 0.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[bytes] | None] = {}
        self.aliases: dict[str, str] = {}
        self.turns: dict[tuple[str, int], list[list[bytes]]] = {}
        self.questions: list[str] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override] # it is one
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, kind, question = _read_question(data)
        self.questions.append(name)
        chain = [name]
        while (following := self.aliases.get(chain[-1])) and len(chain) < MAX_ALIASES:
            chain.append(following)
        answers = self._find(chain[-1], kind)
        if answers is None:
            return
        known = {one for one, _ in [*self.records, *self.turns]}
        flags = 0x8180 if chain[-1] in known or len(chain) > 1 else 0x8183  # NXDOMAIN
        records = [_record(here, CNAME, _name(there)) for here, there in pairwise(chain)]
        records += [_record(chain[-1], kind, one) for one in answers]
        head = data[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        assert self._transport is not None
        self._transport.sendto(head + question + b"".join(records), addr)

    def _find(self, name: str, kind: int) -> list[bytes] | None:
        turns = self.turns.get((name, kind))
        if turns:
            return turns.pop(0) if len(turns) > 1 else turns[0]
        return self.records.get((name, kind), [])


def _record(name: str, kind: int, data: bytes) -> bytes:
    return _name(name) + struct.pack(">HHIH", kind, 1, 0, len(data)) + data


def _name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def _read_question(data: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    kind = struct.unpack(">H", data[at + 1 : at + 3])[0]
    return ".".join(labels).lower(), kind, data[12 : at + 5]


def ipv4(text: str) -> bytes:
    return socket.inet_aton(text)


def address(text: str) -> tuple[int, bytes]:
    """Return an address as type and data of a record."""
    kind, family = (AAAA, socket.AF_INET6) if ":" in text else (A, socket.AF_INET)
    return kind, socket.inet_pton(family, text)


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
