"""`make prove`: runs a whole installation, kills its processes at random, and proves that nothing was lost or repeated.

Exit status: 0 if every promise was kept, 1 if one was broken, 2 if the run proves nothing (it could not start, or did
not do what it was asked). The log of a failed run, and what the processes printed, stay in the folder that it names.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.prove.chaos import Chaos
from tests.prove.installation import ROOT, CannotStart, Installation
from tests.prove.judge import Violation, judge
from tests.prove.log import Log, Place, Subscribed
from tests.prove.publishers import Publishers
from tests.prove.report import Figures, measure, write_report
from tests.prove.subscribers import Audience, Subscriber
from tests.prove.transports import TRANSPORTS

SETTLE_TIMEOUT_S = 30.0
WHOLE_TIMEOUT_S = 60.0
SUBSCRIBERS = 36
LATE_SUBSCRIBERS = 12
#: An auditor reads no more of a channel than history surely holds.
MAX_AUDIT_ITEMS = 5_000


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    kills: int
    minutes: float
    seed: int
    edges: int = 3
    arrangement: str = "single"
    redis: str = "always"
    pause_s: float = 0.25
    patience_s: float = 40.0
    keep: bool = False
    tree: Path = ROOT


@dataclass(frozen=True, slots=True)
class Proof:
    """What a run showed. `faults`: why it proves nothing, if that is so."""

    violations: Sequence[Violation]
    figures: Figures
    faults: Sequence[str]
    log: Log


class Run:
    """One run, from start to judgement."""

    def __init__(self, options: Options, folder: Path) -> None:
        self._options = options
        self._rng = random.Random(options.seed)
        self.log = Log(time.monotonic)
        self._installation = Installation(
            folder,
            log=self.log,
            tree=options.tree,
            edges=options.edges,
            arrangement=options.arrangement,
            keeps=options.redis,
        )
        self._is_kept = self._installation.streams.keeps_epochs
        self._publishers = Publishers(self._installation, self.log, self._fork(), is_chained=self._is_kept)
        seconds = options.minutes * 60
        in_flight = self._publishers.in_flight
        self._chaos = Chaos(self._installation, in_flight, self._fork(), kills=options.kills, seconds=seconds)
        self._faults: list[str] = []

    def _fork(self) -> random.Random:
        return random.Random(self._rng.random())

    async def prove(self) -> Proof:
        """Run everything; return what it showed."""
        async with self._installation.running(), asyncio.TaskGroup() as tasks:
            audience = Audience(tasks)
            for number in range(SUBSCRIBERS):
                audience.add(self._subscriber(f"subscriber-{number}", self._choose_channels(number)))
            if not await audience.wait_until_settled(SETTLE_TIMEOUT_S):
                self._faults.append(f"not all subscribers got a position within {SETTLE_TIMEOUT_S:.0f} s")
            publishing = tasks.create_task(self._publishers.run(pause_s=self._options.pause_s))
            late = tasks.create_task(self._let_others_in(audience))
            await self._chaos.run()
            await late
            await self._calm_down(audience, publishing)
            audience.leave()
        return self._judge()

    def _subscriber(self, name: str, channels: Sequence[str], since: dict[str, Place] | None = None) -> Subscriber:
        return Subscriber(
            name,
            channels,
            installation=self._installation,
            log=self.log,
            rng=self._fork(),
            follow=TRANSPORTS,
            since=since,
        )

    def _choose_channels(self, number: int) -> list[str]:
        """Return one to three channels; every channel is somebody's."""
        channels = self._publishers.channels
        first = channels[number % len(channels)]
        others = self._rng.sample([c for c in channels if c != first], self._rng.choice([0, 0, 1, 2]))
        return [first, *others]

    async def _let_others_in(self, audience: Audience) -> None:
        """Let subscribers come while things are killed: they begin in the middle of streams."""
        for number in range(LATE_SUBSCRIBERS):
            await asyncio.sleep(self._options.minutes * 60 / LATE_SUBSCRIBERS * self._rng.uniform(0.2, 1.0))
            audience.add(self._subscriber(f"late-{number}", self._choose_channels(number)))

    async def _calm_down(self, audience: Audience, publishing: "asyncio.Task[None]") -> None:
        """Do no more harm, publish no more, and give everybody the time to get what is theirs."""
        if not await self._installation.wait_until_whole(WHOLE_TIMEOUT_S):
            self._faults.append(f"not all processes came back within {WHOLE_TIMEOUT_S:.0f} s")
        self._publishers.stop()
        await publishing
        for channel, place in self._audit_from().items():
            audience.add(self._subscriber(f"auditor-of-{channel}", [channel], {channel: place}))
        deadline = self.log.now() + self._options.patience_s
        while audience.count_behind() and self.log.now() < deadline:  # noqa: ASYNC110 - many events, no single one
            await asyncio.sleep(0.2)

    def _audit_from(self) -> dict[str, Place]:
        """Return where each channel began; from there auditors read it through history alone."""
        found: dict[str, Place] = {}
        tops: dict[str, int] = {}
        for event in self.log.events:
            if isinstance(event, Subscribed):
                found.setdefault(event.channel, event.place)
                tops[event.channel] = max(tops.get(event.channel, 0), event.place.offset)
        return {c: Place(p.epoch, max(p.offset, tops[c] - MAX_AUDIT_ITEMS)) for c, p in found.items()}

    def _judge(self) -> Proof:
        figures = measure(self.log.events)
        done = self._chaos.done
        kills = done["edge"] + done["publishing"] + done["redis"]
        if kills < self._options.kills:
            self._faults.append(f"{kills} of {self._options.kills} kills were done")
        if self._publishers.unacknowledged:
            self._faults.append(f"{self._publishers.unacknowledged} items were given up: nobody acknowledged them")
        missing = [name for name in TRANSPORTS if not figures.received_by_transport[name]]
        if missing:
            self._faults.append(f"nothing came over {', '.join(missing)}")
        figures.harm.update(done)
        violations = judge(self.log.events, resets_allowed=not self._is_kept)
        return Proof(violations, figures, self._faults, self.log)


def read_options(words: Sequence[str] | None = None) -> Options:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="make prove", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=110, help="how many processes to kill (110)")
    parser.add_argument("--minutes", type=float, default=11.0, help="over how many minutes (11)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="repeat a plan")
    parser.add_argument("--edges", type=int, default=3, choices=(1, 2, 3, 4), help="edge processes (3), beside one web")
    arrangement_help = (
        "of the Redis that keeps streams: one server, or a primary and a replica behind three Sentinels, or a Cluster"
        " of three; in the last two a lost server begins new epochs, and resets are right"
    )
    parser.add_argument(
        "--arrangement", default="single", choices=("single", "sentinel", "cluster"), help=arrangement_help
    )
    redis_help = (
        "appendfsync of Redis (always), or nothing: it forgets all when it is killed; unless always, resets are right"
    )
    parser.add_argument("--redis", default="always", choices=("always", "everysec", "nothing"), help=redis_help)
    parser.add_argument("--keep", action="store_true", help="keep the log of a good run, too")
    parser.add_argument("--tree", type=Path, default=ROOT, help="source of the product that is judged (this one)")
    return Options(**vars(parser.parse_args(words)))


def prove(options: Options) -> int:
    """Run, report, and return the exit status."""
    folder = Path(tempfile.mkdtemp(prefix="fanout-prove-"))
    folder.chmod(0o755)  # PostgreSQL may run as another user
    print(f"seed {options.seed}: {options.kills} kills in {options.minutes:g} minutes, in {folder}", flush=True)
    proof = None
    try:
        proof = asyncio.run(Run(options, folder).prove())
    except* CannotStart as group:
        print("\n".join(str(error) for error in group.exceptions))
    if proof is None:
        return 2
    write_report(proof.figures, proof.violations, proof.faults, proof.log.events, folder)
    if proof.violations or proof.faults or options.keep:
        proof.log.write(folder / "log.jsonl")
        print(f"the log and what the processes said: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if proof.violations else 2 if proof.faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end the processes that were started, however it ends
    try:
        sys.exit(prove(read_options()))
    except KeyboardInterrupt:
        sys.exit("ended before it had proved anything")
