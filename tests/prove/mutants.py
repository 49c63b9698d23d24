"""`make prove-mutants`: plants known bugs, one at a time, in a copy of the product: the prover must find each.

The copy is thrown away; the product has no switch for any of this. A bug is a piece of source and what takes its place;
the piece must be there exactly once, so that a change of the source can't quietly make the bug harmless.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.prove.installation import ROOT
from tests.servers.command import started

#: What the product consists of.
SOURCES = ("accounts", "fanoutcloud", "onboarding", "publishing", "realms", "static", "templates", "manage.py")
RUN_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug: in one file of `folder`, `original` becomes `planted`. One of `promises` must be found broken."""

    name: str
    folder: str
    original: str
    planted: str
    promises: tuple[str, ...]
    redis: str = "always"


MUTANTS = (
    Mutant(
        "publishes are acknowledged before they are stored",
        "publishing",
        "            return await self._broker.publish(realm, items, retention=retention), []\n",
        "            import asyncio\n"
        "            storing = self._broker.publish(realm, items, retention=retention)\n"
        "            asyncio.get_running_loop().create_task(storing).add_done_callback(lambda task: task.exception())\n"
        "            return [PublishResult(Outcome.STORED, None) for _ in items], []\n",
        ("lost",),
    ),
    Mutant(
        "the hub does not look for gaps",
        "fanoutcloud/edge",
        "        if ahead > 1 or position.epoch != top.epoch:\n",
        "        if position.epoch != top.epoch:\n",
        ("gap",),
    ),
    Mutant(
        "whoever comes back begins anew",
        "fanoutcloud/edge",
        "        return begin == local.position\n",
        "        return True\n",
        ("gap", "lost", "not resumed"),
    ),
    Mutant(
        "items read from history are one off",
        "fanoutcloud/broker",
        "read_packed_items(since.epoch, since.offset + 1, packed)",
        "read_packed_items(since.epoch, since.offset + 2, packed)",
        ("gap", "disagreement"),
    ),
    Mutant(
        "ids of publishers are not remembered",
        "fanoutcloud/broker",
        "    if seen then return seen end\n",
        "    if seen then seen = nil end\n",
        ("repeated",),
    ),
    Mutant(
        "nobody is told that a stream began anew",
        "fanoutcloud/edge",
        "        told = self.live_subscribers()\n",
        "        told = self.live_subscribers()[:0]\n",
        ("gap", "lost"),
        redis="nothing",
    ),
)


class CannotPlant(Exception):
    """The source has changed; the text says where."""


def plant(mutant: Mutant, tree: Path) -> None:
    """Plant the bug in a copy of the product."""
    files = [(file, file.read_text()) for file in sorted((tree / mutant.folder).rglob("*.py"))]
    found = [(file, text) for file, text in files for _ in range(text.count(mutant.original))]
    if len(found) != 1:
        raise CannotPlant(f"{mutant.folder} holds this {len(found)} times, not once: {mutant.original}")
    file, text = found[0]
    file.write_text(text.replace(mutant.original, mutant.planted))


def copy_product(tree: Path) -> None:
    """Copy the product's source into the empty folder `tree`."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)


def run(mutant: Mutant | None, *, kills: int, minutes: float, seed: int) -> tuple[int, str]:
    """Run the prover on the product, with the bug or without any; return its exit status and its words."""
    with tempfile.TemporaryDirectory(prefix="fanout-mutant-") as name:
        tree, runs = Path(name) / "product", Path(name) / "runs"
        for folder in (Path(name), tree, runs):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)  # PostgreSQL may run as another user
        copy_product(tree)
        if mutant is not None:
            plant(mutant, tree)
        options = ["--kills", str(kills), "--minutes", str(minutes), "--seed", str(seed), "--tree", str(tree)]
        options += ["--redis", "always" if mutant is None else mutant.redis]
        command = [sys.executable, "-m", "tests.prove.run", *options]
        with started(command, folder=ROOT, environment=os.environ | {"TMPDIR": str(runs)}) as process:
            return process.wait_for_end(timeout_s=RUN_TIMEOUT_S), process.output


def find_fault(mutant: Mutant | None, status: int, words: str) -> str | None:
    """Return what is wrong with what the prover said, or None."""
    if mutant is None:
        return None if status == 0 else "the prover fails without any bug"
    if status != 1:
        return "the prover did not find it"
    if not any(f"BROKEN       {promise}:" in words for promise in mutant.promises):
        return f"the prover found something else; expected {' or '.join(mutant.promises)}"
    return None


def main(words: Sequence[str] | None = None) -> int:
    """Run them all; return 1 if one was not found."""
    parser = argparse.ArgumentParser(prog="make prove-mutants", description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=0.4)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", default="", help="only bugs whose name holds this")
    options = parser.parse_args(words)
    mutants = [None, *(mutant for mutant in MUTANTS if options.only in mutant.name)]
    failed = 0
    for mutant in mutants:
        began_at = time.monotonic()
        status, said = run(mutant, kills=options.kills, minutes=options.minutes, seed=options.seed)
        fault = find_fault(mutant, status, said)
        failed += fault is not None
        broken = [line.removeprefix("BROKEN").strip() for line in said.splitlines() if line.startswith("BROKEN")]
        name = "no bug planted" if mutant is None else mutant.name
        outcome = "ok    " if fault is None else "FAILED"
        print(
            f"{outcome}  {name} ({time.monotonic() - began_at:.0f} s): {'; '.join(broken) or 'nothing found'}",
            flush=True,
        )
        if fault is not None:
            print(f"        {fault}:\n{said}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
