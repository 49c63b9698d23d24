"""What a token costs: verified the first time, and found again. Run it: `python -m tests.load.tokens`."""

import asyncio
import sys
from time import perf_counter

from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.edge.access import AccessGate
from tests.core.signed import claims, public_keys, sign, snapshot

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


def main() -> None:
    for name, microseconds in asyncio.run(measure()).items():
        sys.stdout.write(f"{name:12} {microseconds:8.2f} µs\n")


if __name__ == "__main__":
    main()
