"""One process of an installation, kept running; killed, stopped and replaced from outside."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

from tests.prove.log import Harmed, Log
from tests.servers import lifeline

PROBE_TIMEOUT_S = 2.0
PROBE_EVERY_S = 0.05
RESTART_PAUSE_S = 0.2


class Process:
    """One process that is kept running, by a task from `running`."""

    def __init__(self, name: str, command: list[str], port: int, *, folder: Path, cwd: Path, log: Log) -> None:
        self.name = name
        self.port = port
        self.output = folder / f"{name}.log"
        self.is_ready = asyncio.Event()
        self.is_stopped = False  # by SIGSTOP
        self.environment: dict[str, str] = dict(os.environ)
        self.away_s = 0.0  # how long it stays away after the next kill
        self.command = command
        self._cwd = cwd
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._successor: asyncio.subprocess.Process | None = None  # it has been asked to hand over to this one

    async def keep_running(self, answers: "Probe") -> None:
        """Start it, and again whenever it has ended, until cancelled; then kill it. A successor takes its place."""
        try:
            with self.output.open("ab") as output:
                while True:
                    self._process, self._successor = self._successor or await self._start(output), None
                    await self._live(answers)
                    if self._successor is None:
                        await asyncio.sleep(self.away_s or RESTART_PAUSE_S)
                    self.away_s = 0.0
        finally:
            for process in (self._process, self._successor):
                if process is not None and process.returncode is None:
                    process.kill()
                    await process.wait()

    async def _start(self, output: BinaryIO, *options: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *self.command, *options, cwd=self._cwd, env=self.environment, stdout=output, stderr=output
        )
        lifeline.hold(process.pid)
        return process

    async def replace(self, *options: str) -> None:
        """Start another one beside it, with these options, to which it hands over and ends."""
        with self.output.open("ab") as output:
            self._successor = await self._start(output, *options)
        self._log.add(Harmed(self._log.now(), self.name, "asked to hand over"))

    @property
    def can_be_replaced(self) -> bool:
        """Whether it runs, and hands over to nobody yet."""
        return self.is_ready.is_set() and not self.is_stopped and self._successor is None

    async def _live(self, answers: "Probe") -> None:
        assert self._process is not None
        ending = asyncio.ensure_future(self._process.wait())
        try:
            while not ending.done() and not await answers(self.port):
                await asyncio.wait([ending], timeout=PROBE_EVERY_S)
            if not ending.done():
                self._log.add(Harmed(self._log.now(), self.name, "ready"))
                self.is_ready.set()
            await ending  # no deadline: that it runs on is what is wanted
            self._log.add(Harmed(self._log.now(), self.name, "ended"))
        finally:
            ending.cancel()
            self.is_ready.clear()
            self.is_stopped = False

    def kill(self, *, away_s: float) -> None:
        """End it as a crash would; it is started again after `away_s`."""
        self.away_s = away_s
        self.is_ready.clear()
        self._send(signal.SIGKILL, "killed")

    def stop(self) -> None:
        """Let it not run, as a machine that swaps or is moved."""
        self.is_stopped = True
        self._send(signal.SIGSTOP, "stopped")

    def go_on(self) -> None:
        """Let it run again; does nothing if it was killed meanwhile."""
        if self.is_stopped:
            self.is_stopped = False
            self._send(signal.SIGCONT, "continued")

    def _send(self, number: signal.Signals, what: str) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._log.add(Harmed(self._log.now(), self.name, what))


#: Tells whether the process on a port answers now.
Probe = Callable[[int], Awaitable[bool]]


async def answers_http(port: int) -> bool:
    """Whether a product's process answers now."""
    answer = await ask(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return answer.startswith(b"HTTP/1.1 200")


async def answers_redis(port: int) -> bool:
    """Whether Redis answers now, its data loaded."""
    return (await ask(port, b"PING\r\n")).startswith(b"+PONG")


async def ask(port: int, question: bytes) -> bytes:
    """Return what is answered first; nothing if the process does not answer in time."""
    writer = None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(question)
            return await reader.read(65_536)
    except (OSError, TimeoutError):
        return b""
    finally:
        if writer is not None:
            writer.transport.abort()


async def call(port: int, *command: str) -> str:
    """Return a Redis server's answer to one command, as it is on the wire; nothing if it does not answer in time."""
    words = "".join(f"${len(word)}\r\n{word}\r\n" for word in command)
    return (await ask(port, f"*{len(command)}\r\n{words}".encode())).decode()
