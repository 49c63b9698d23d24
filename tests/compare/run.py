"""Plays exchanges through Pushpin and through us, and shows where clients or origins see something else.

Run as `make compare-pushpin`, or `python -m tests.compare.run --exchanges 10000 --seed 1`.
"""

import argparse
import asyncio
import contextlib
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.compare.exchanges import Exchange, OriginAnswer, Peer
from tests.compare.generated import exchanges
from tests.compare.stage import Stage, stage
from tests.load.peers import NotInstalled, make_folder, running_pushpin_before
from tests.servers.product import Product

AT_ONCE = 100
#: Hypothesis bounds how much one example may hold.
PER_EXAMPLE = 5
MAX_SHOWN = 20
READY_S = 20.0


@dataclass(frozen=True)
class Difference:
    """One exchange that went another way."""

    exchange: Exchange
    theirs: Any  # what was seen, or why nothing was
    ours: Any

    def __str__(self) -> str:
        return f"{pformat(self.exchange)}\n  Pushpin: {self.theirs}\n  ours:    {self.ours}\n"


class Comparison:
    """Both peers with one origin."""

    def __init__(self, stage: Stage, theirs: Peer, ours: Peer) -> None:
        self._stage = stage
        self._theirs = theirs
        self._ours = ours

    async def compare(self, exchange: Exchange) -> Difference | None:
        """Play the exchange through both. What differs is played once more: both may be slow."""
        for _ in range(2):
            theirs, ours = await asyncio.gather(self._play(exchange, self._theirs), self._play(exchange, self._ours))
            if theirs == ours:
                return None
        return Difference(exchange, theirs, ours)

    async def compare_all(self, batch: list[Exchange]) -> list[Difference]:
        """Play exchanges at the same time."""
        return [found for found in await asyncio.gather(*map(self.compare, batch)) if found is not None]

    async def _play(self, exchange: Exchange, peer: Peer) -> Any:
        try:
            return await self._stage.play(exchange, peer)
        except (TimeoutError, OSError) as error:
            return repr(error)


@contextlib.asynccontextmanager
async def comparison(folder: Path) -> AsyncIterator[Comparison]:
    """Run both peers until the block ends. Raises `NotInstalled` without Pushpin."""
    async with stage() as made:
        with running_pushpin_before(made.port, make_folder(folder, "pushpin")) as (port, publish_port, _):
            product = Product(make_folder(folder, "ours"))
            product.start()
            try:
                theirs = Peer("Pushpin", port, "localhost", publish_port, "/publish/")
                compared = Comparison(made, theirs, _prepare(product, made.port))
                await _until_ready(made, theirs)
                yield compared
            finally:
                product.stop()


def _prepare(product: Product, origin_port: int) -> Peer:
    realm = product.create_realm()
    path = f"/realm/{realm.realm}"
    data = {"host": "127.0.0.1", "port": str(origin_port)}
    answer = httpx.post(f"{product.url}{path}/http/default/", data=data, auth=realm.auth)
    assert answer.status_code == 200, answer.text
    host = f"{realm.realm}.localhost:{product.port}"
    return Peer("Ours", product.port, host, product.port, f"{path}/publish/", auth=realm.auth)


async def _until_ready(stage: Stage, peer: Peer) -> None:
    """Wait until Pushpin's parts have found each other; until then it answers 500."""
    probe = Exchange((OriginAnswer(headers=(("Grip-Status", "201"),)),))
    async with asyncio.timeout(READY_S):
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                seen, _ = await stage.play(probe, peer)
                if seen is not None and seen.status == 201:
                    return
            await asyncio.sleep(0.1)


def compare_generated(
    compared: Comparison, runner: asyncio.Runner, *, count: int, seed_number: int
) -> list[Difference]:
    """Return the differences among `count` generated exchanges."""
    found: list[Difference] = []
    waiting: list[Exchange] = []

    @seed(seed_number)
    @settings(
        max_examples=-(-count // PER_EXAMPLE),
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(batch=st.lists(exchanges, min_size=PER_EXAMPLE, max_size=PER_EXAMPLE))
    def run(batch: list[Exchange]) -> None:
        waiting.extend(batch)
        if len(waiting) >= AT_ONCE:
            play()

    def play() -> None:
        if len(found) < MAX_SHOWN:
            found.extend(runner.run(compared.compare_all(waiting)))
        waiting.clear()

    run()
    play()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    options = parser.parse_args()
    print(f"{options.exchanges:,} exchanges, seed {options.seed}", flush=True)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        running = comparison(Path(folder))
        try:
            compared = runner.run(running.__aenter__())
        except NotInstalled as absent:
            print(f"not compared: {absent}")
            return 2
        try:
            found = compare_generated(compared, runner, count=options.exchanges, seed_number=options.seed)
        finally:
            runner.run(running.__aexit__(None, None, None))
    for difference in found:
        print(difference)
    print(f"{len(found)} differences; took {time.monotonic() - began_s:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
