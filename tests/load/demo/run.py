"""`make demo-100k`: 100,000 subscribers on this machine get one item, and a page shows it while it happens.

Starts Redis, as many edges as their file descriptors ask for, and a load generator for each; connects everybody;
publishes once through the REST API with a signed token. Fails if anybody misses the item or gets it twice. The figures
go to build/demo.json and build/demo.txt.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import platform
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.load.crowd import CONNECTS_AT_ONCE, SOURCE, Crowd, all_ready, shares
from tests.load.demo.page_server import serving_page
from tests.load.demo.show import Moments, Result, Show, curve, judge
from tests.load.fleet import Fleet, running_fleet
from tests.load.generator import NotMeasured, build
from tests.load.server import ROOT

REPORT = ROOT / "build" / "demo.json"
TEXT = ROOT / "build" / "demo.txt"
#: Of an edge's descriptors, kept for everything but subscribers.
SPARE_DESCRIPTORS = 2_500
SETTLE_S = 1.0
LINE_STEP_S = 0.2


def main() -> None:
    """Run the demo; the exit status says whether each subscriber got the item exactly once."""
    arguments = parse_arguments()
    if sys.platform != "linux":
        sys.exit("The load generators stand on epoll, so `make demo-100k` runs on Linux only.")
    try:
        result = asyncio.run(demonstrate(arguments))
    except NotMeasured as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
    if faults := result.faults():
        sys.exit("\n".join(faults))


def parse_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make demo-100k", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--transport", choices=["websocket", "poll"], default="websocket")
    parser.add_argument("--edges", type=int, default=0, help="0: as many as their file descriptors ask for")
    parser.add_argument("--page-port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--stay", action="store_true", help="keep the page until Ctrl-C")
    parser.add_argument("--connect-timeout", type=float, default=300.0, metavar="SECONDS")
    arguments = parser.parse_args(words)
    if arguments.subscribers < 1:
        parser.error("--subscribers is at least 1")
    arguments.edges = arguments.edges or edges_for(arguments.subscribers)
    return arguments


def edges_for(subscribers: int) -> int:
    """Return how many edges can hold so many, each with the descriptors that a process may have here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = (20_000 if hard == resource.RLIM_INFINITY else min(hard, 20_000)) - SPARE_DESCRIPTORS
    if room < 100:
        raise NotMeasured(f"A process may have {hard} open files here; more are needed: ulimit -n 20000")
    return math.ceil(subscribers / room)


async def demonstrate(arguments: argparse.Namespace) -> Result:
    """Do it all, with the page open from the beginning."""
    show = Show(arguments.transport, arguments.subscribers, arguments.edges)
    async with serving_page(show, arguments.page_port) as page:
        say(f"page: {page}")
        ticker = asyncio.create_task(keep_line(show))
        try:
            with tempfile.TemporaryDirectory(prefix="fanout-demo-") as folder:
                async with running_fleet(Path(folder), arguments.edges) as fleet:
                    result = await perform(show, fleet, Path(folder), arguments)
        except NotMeasured as problem:
            show.problem = str(problem)
            show.enter("failed")
            raise
        finally:
            ticker.cancel()
        report(result)
        if arguments.stay:
            say("the page stays until Ctrl-C")
            await asyncio.Event().wait()
    return result


async def perform(show: Show, fleet: Fleet, folder: Path, arguments: argparse.Namespace) -> Result:
    """Connect everybody, publish, and wait until everybody has it."""
    marker = f"demo-{secrets.token_hex(6)}"
    request = folder / "request"
    request.write_bytes(await asyncio.to_thread(fleet.subscribe_request, arguments.transport))
    program = await asyncio.to_thread(build, SOURCE)
    parts = shares(arguments.subscribers, len(fleet.edges))
    crowds = [Crowd(edge.port, part) for edge, part in zip(fleet.edges, parts, strict=True)]
    changed = asyncio.Event()

    def on_progress() -> None:
        show.note(ready=sum(one.ready for one in crowds), received=sum(one.received for one in crowds))
        changed.set()

    ready = "subscribed" if arguments.transport == "websocket" else ""
    words = [str(request), ready, marker, str(max(8, CONNECTS_AT_ONCE // len(crowds)))]
    try:
        async with asyncio.TaskGroup() as tasks:
            for crowd in crowds:
                tasks.create_task(crowd.run(program, words, on_progress))
            moments = await publish_to(crowds, show, fleet, changed, marker, arguments.connect_timeout)
    except* NotMeasured as problems:
        raise NotMeasured(str(problems.exceptions[0])) from None
    show.result, show.arrivals = judge(crowds, arguments.transport, moments), curve(crowds, moments.published_at)
    show.enter("done")
    return show.result


async def publish_to(
    crowds: Sequence[Crowd], show: Show, fleet: Fleet, changed: asyncio.Event, marker: str, timeout_s: float
) -> Moments:
    """Wait for everybody, publish once, and let the crowds end when everybody has it."""
    try:
        bytes_before = fleet.resident_bytes()
        show.enter("connecting")
        began_at = time.monotonic()
        await all_connected(crowds, fleet, changed, timeout_s=timeout_s)
        connect_s = time.monotonic() - began_at
        await asyncio.sleep(SETTLE_S)
        bytes_held = fleet.resident_bytes()
        show.enter("publishing")
        published_at, answered_at = await asyncio.to_thread(fleet.publish, marker)
        await all_received(crowds, changed)
    finally:
        for crowd in crowds:
            crowd.finish()
    return Moments(published_at, answered_at, connect_s, bytes_before, bytes_held)


async def all_connected(crowds: Sequence[Crowd], fleet: Fleet, changed: asyncio.Event, *, timeout_s: float) -> None:
    """Return when every subscriber is ready, and the edges say that they hold them all."""
    await all_ready(crowds, changed, timeout_s=timeout_s)
    await asyncio.to_thread(fleet.wait_until_held, sum(crowd.subscribers for crowd in crowds), timeout_s=timeout_s)


async def all_received(crowds: Sequence[Crowd], changed: asyncio.Event, *, timeout_s: float = 30.0) -> None:
    """Return when everybody has the item or time is up, and what comes twice has had its time to come."""
    wanted = sum(crowd.subscribers for crowd in crowds)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while sum(crowd.received + crowd.lost for crowd in crowds) < wanted:
                changed.clear()
                await changed.wait()
    await asyncio.sleep(SETTLE_S)


async def keep_line(show: Show) -> None:
    """Keep the terminal's line up to date; where there is no terminal, print one now and then."""
    told, is_terminal = "", sys.stdout.isatty()
    while True:
        line = show.line()
        if is_terminal:
            sys.stdout.write(f"\r\x1b[2K{line}")
            sys.stdout.flush()
        elif show.phase != told:
            told = show.phase
            say(line)
        await asyncio.sleep(LINE_STEP_S)


def report(result: Result) -> None:
    """Print the figures and write them into build/."""
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({"at": at, "machine": machine, "result": asdict(result)}, indent=2) + "\n")
    TEXT.write_text("\n".join(result.lines()) + "\n")
    say("\n" + "\n".join(result.lines()))
    say(f"details: {REPORT.relative_to(ROOT)}, {TEXT.relative_to(ROOT)}")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
