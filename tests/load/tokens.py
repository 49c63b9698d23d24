"""What a token costs: verified the first time, and found again. Run it: `python -m tests.load.tokens`."""

import asyncio
import sys
from time import perf_counter

from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.access import Grant
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.revocations import Revocations
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.edge.access.enforcement import hold_against
from fanoutcloud.edge.access.gate import AccessGate
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.limits import EdgeLimits
from tests.core.signed import claims, public_keys, sign, snapshot
from tests.edge.worlds import RecordingSubscriber
from tests.fakes.activity import RecordingActivity

TOKENS = 2000


async def measure() -> dict[str, float]:
    """Return microseconds for each way of admitting a token and checking one channel."""
    clock = SystemClock()
    realm = snapshot(
        public_keys=public_keys("RS256", "ES256", "EdDSA"),
        rules=make_rules([ChannelRule(pattern=parse_pattern("orders.*"), access="token")]),
    )
    channel = ChannelName("orders.7")
    results = {}
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        gate = AccessGate(clock)
        tokens = [
            sign(
                claims(exp=clock.now() + 600, jti=str(number), channels={"orders.*": ["subscribe"]}),
                algorithm=algorithm,
            )
            for number in range(TOKENS if algorithm == "HS256" else TOKENS // 10)
        ]
        for word in ("first", "again"):
            rounds = []
            for _ in range(1 if word == "first" else 5):
                begin = perf_counter()
                for token in tokens:
                    gate.check(await gate.admit(realm, token), realm, "subscribe", channel)
                rounds.append((perf_counter() - begin) / len(tokens) * 1e6)
            results[f"{algorithm} {word}"] = min(rounds)
    return results


async def measure_revocation(subscribers: int) -> tuple[float, float, float]:
    """Return the seconds in which a revoked user is found and closed, the longest turn of the loop, and their share.

    Each subscriber has a token of its own; every tenth is the revoked user's. Their sinks do nothing.
    """
    clock = SystemClock()
    realm = snapshot(revocations=Revocations(users={"user0": clock.now()}))
    hub = Hub(broker=MemoryBroker(clock), activity=RecordingActivity(), limits=EdgeLimits(), clock=clock)
    crowd = []
    for number in range(subscribers):
        subscriber = RecordingSubscriber(realm=realm.realm)
        subscriber.grant = Grant(f"user{number % 10}", token_id=str(number), key_id="17", expires_at=clock.now() + 600)
        hub.register(subscriber)
        crowd.append(subscriber)
    longest, watching = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        while not watching.is_set():
            begin = perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, perf_counter() - begin)

    watcher = asyncio.create_task(watch())
    begin = perf_counter()
    await hold_against(realm, hub.gate, crowd)
    took = perf_counter() - begin
    watching.set()
    await watcher
    return took, longest, sum(subscriber.is_closed for subscriber in crowd) / subscribers


def main() -> None:
    for name, microseconds in asyncio.run(measure()).items():
        sys.stdout.write(f"{name:12} {microseconds:8.2f} µs\n")
    took, longest, share = asyncio.run(measure_revocation(18_000))
    sys.stdout.write(
        f"18,000 subscribers looked through and {share:.0%} closed in {took * 1000:.0f} ms,"
        f" {longest * 1000:.1f} ms of them at a time\n"
    )


if __name__ == "__main__":
    main()
