"""A balancer that knows nobody: each request goes to the next of some ports, whoever sends it."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Alternating:
    """Passes TCP on. Connections carry one request each, so that a client can't stay by keeping its own."""

    def __init__(self, ports: list[int]) -> None:
        self._next = itertools.cycle(ports)
        self.port = 0
        #: How many requests went to each port.
        self.counts = dict.fromkeys(ports, 0)

    async def serve(self, is_ready: threading.Event, stop: asyncio.Event) -> None:
        """Serve until `stop`."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        is_ready.set()
        await stop.wait()
        server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        port = next(self._next)
        self.counts[port] += 1
        try:
            edge_reader, edge_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        edge_writer.write(_for_one_request(head))
        await asyncio.gather(_pump(reader, edge_writer), _pump(edge_reader, writer))


def _for_one_request(head: bytes) -> bytes:
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    if any(line.lower().startswith(b"upgrade:") for line in lines):
        return head
    lines = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@contextmanager
def alternating(*ports: int) -> Iterator[Alternating]:
    """Run one in a thread of its own."""
    balancer, is_ready = Alternating(list(ports)), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        loop.run_until_complete(balancer.serve(is_ready, stop))
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert is_ready.wait(10), "the balancer did not begin"
        yield balancer
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
