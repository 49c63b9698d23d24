"""What a peer manages in the same run: how fast the machine is, in words that another machine understands.

Both do less for it: Pushpin checks no credential and keeps no item, Nchan checks no token. So what is aimed at are
shares of theirs, as they were where the aims were set: Pushpin took 14,600 publishes a second there, and Nchan 37,000
WebSockets.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

from tests.load.accepts import accept_all, measure_accepts
from tests.load.peers import NotInstalled, Peer, make_folder, running_nchan, running_pushpin
from tests.load.scenarios import CALLERS, Figure, Options, call, measure_publishing

PUBLISHES_SHARE = 5_000 / 14_600
ACCEPTS_SHARE = 4_000 / 37_000


async def publishing_beside_pushpin(options: Options, folder: Path) -> list[Figure]:
    """Ours, and then the same callers at Pushpin's port for publishers, one item per request."""
    figures = await measure_publishing(options, folder)
    with _running(running_pushpin, folder) as peer:
        if peer is None:
            return figures
        load = peer.loads["websocket"]
        told = await call(load.publish_port, load.publish, folder, callers=CALLERS, seconds=options.seconds)
    fault = f"{told['bad']} publishes were refused" if told["bad"] else ""
    return [*figures, *_beside("publish", "Pushpin", figures[0], told["per_s"], PUBLISHES_SHARE, fault)]


async def accepts_beside_nchan(options: Options, folder: Path) -> list[Figure]:
    """Ours, and then the same crowd at Nchan, by WebSocket."""
    figures = await measure_accepts(options, folder)
    with _running(running_nchan, folder) as peer:
        if peer is None:
            return figures
        load, request = peer.loads["websocket"], folder / "request"
        request.write_bytes(load.request)
        rounds = [
            await accept_all(load.port, lambda: 0.0, request, options.subscribers, ready="Upgrade")
            for _ in range(max(1, options.rounds // 4))
        ]
    with_token = [one for one in figures if one.target][-1]
    return [*figures, *_beside("accepts", "Nchan", with_token, median(per_s for _, per_s in rounds), ACCEPTS_SHARE)]


def _beside(scenario: str, peer: str, ours: Figure, theirs: float, share: float, fault: str = "") -> Iterator[Figure]:
    yield Figure(scenario, f"{peer}, which does less", theirs, ours.unit, "", fault)
    yield Figure(scenario, f"{ours.what}, over {peer}'s", 100 * ours.value / theirs, "%", f"≥ {100 * share:.0f}")


@contextlib.contextmanager
def _running(run: Callable[[Path], AbstractContextManager[Peer]], folder: Path) -> Iterator[Peer | None]:
    """Run the peer, or say that it is not installed and give None."""
    with contextlib.ExitStack() as stack:
        try:
            peer = stack.enter_context(run(make_folder(folder, "peer")))
        except NotInstalled as hint:
            sys.stderr.write(f"left out: {hint}\n")
            yield None
        else:
            yield peer
