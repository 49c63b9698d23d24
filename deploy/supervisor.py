"""Run several programs beside each other: their lines with their names in front, and an end of one is an end of all."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STOP_TIMEOUT_S = 20.0
NAME_WIDTH = 10
LINE_BYTES = 1 << 20
COLOURS = (36, 33, 32, 35, 34, 31)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `account` is who runs it, as keyword arguments of `Popen`; `log` takes its output, if given."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path | None = None
    account: Mapping[str, Any] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM


class Ended(Exception):
    """A program has ended that should run on."""


class Supervisor:
    """Programs in the order of their start. They do not see the terminal's Ctrl-C: `stop` ends them in order."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Program, asyncio.subprocess.Process, asyncio.Task[None]]] = {}
        self._watches: list[asyncio.Task[None]] = []
        self._first_end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def start(self, program: Program) -> None:
        """Start a program that is to run until `stop`."""
        process, pump = await self._spawn(program)
        self._running[program.name] = (program, process, pump)
        self._watches.append(asyncio.create_task(self._watch(program.name, process)))

    async def run(self, program: Program) -> None:
        """Run a program to its end; raise Ended unless that is a good one. Cancelling ends the program."""
        process, pump = await self._spawn(program)
        try:
            status = await process.wait()
            await pump
        finally:
            _signal_group(process, signal.SIGTERM)
        if status:
            raise Ended(f"{program.name} ended with status {status}")

    async def wait_for_an_end(self) -> None:
        """Return never; raise Ended with the name of the first program that ended by itself."""
        raise Ended(await self._first_end)

    async def stop(self) -> None:
        """End all programs, the last started first; those that do not within 20 s are killed."""
        for watch in self._watches:
            watch.cancel()
        for program, process, pump in reversed(self._running.values()):
            await _end(process, program.stop_signal)
            await pump
            if program.log is None:
                say(program.name, "stopped")
        self._running.clear()

    async def _watch(self, name: str, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        if not self._first_end.done():
            self._first_end.set_result(f"{name} ended by itself with status {status}")

    async def _spawn(self, program: Program) -> tuple[asyncio.subprocess.Process, asyncio.Task[None]]:
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(program.log.open("ab")) if program.log else asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                *program.command,
                cwd=program.folder,
                env=dict(program.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                limit=LINE_BYTES,
                **program.account,
            )
        return process, asyncio.create_task(_pump(program.name, process.stdout))


def say(name: str, line: str) -> None:
    """Print one line of the program `name`."""
    label = f"{name:<{NAME_WIDTH}} |"
    if sys.stdout.isatty():
        label = f"\x1b[{COLOURS[sum(name.encode()) % len(COLOURS)]}m{label}\x1b[0m"
    print(label, line, flush=True)


async def _pump(name: str, lines: asyncio.StreamReader | None) -> None:
    while lines is not None:
        try:
            line = await lines.readline()
        except ValueError:  # longer than LINE_BYTES; the reader has dropped it
            continue
        if not line:
            return
        say(name, line.decode(errors="replace").rstrip())


async def _end(process: asyncio.subprocess.Process, stop_signal: int) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(stop_signal)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        _signal_group(process, signal.SIGKILL)  # also what it left behind
    await process.wait()


def _signal_group(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
