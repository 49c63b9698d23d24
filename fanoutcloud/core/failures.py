"""Who fails too often: credentials that do not hold and realms that do not exist, by the address they come from.

Kept in this process alone and asked before anything is looked up or verified, so that guessing costs us a dictionary
look-up per attempt and gains nothing: no signature check, no query, no message to other processes.
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.errors import LimitReached
from fanoutcloud.core.statistics import LimitStatistics

#: A person who tries keys stays far below; a program that does so gets ten tries per second.
DEFAULT_RATE = Rate(per_s=10.0, burst=100)
#: The address whose last failure is longest ago is forgotten first. About 200 bytes each.
MAX_ADDRESSES = 20_000


class FailuresByAddress:
    """A token bucket of failures for each address, and what the failures are about: a realm, or "" for unknown ones.

    So one bad publisher behind a shared address keeps nobody from other realms. Who never fails is never kept.
    """

    def __init__(self, clock: Clock, statistics: LimitStatistics | None = None, *, rate: Rate = DEFAULT_RATE) -> None:
        self._clock = clock
        self._statistics = statistics or LimitStatistics()
        self._rate = rate
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()  # failures left, at

    def check(self, address: str, about: str) -> None:
        """Raise `LimitReached` if the address has no failure left: do not even look at what it sends."""
        name = (_network(address), about)
        if name not in self._left:
            return
        left = self._left_now(name)
        if left < 1:
            self._statistics.hits["failed_credentials"] += 1
            value = f"{self._rate.per_s:,.0f} times per second, {self._rate.burst:,} at once"
            raise LimitReached("failed_credentials", value, retry_after_s=(1 - left) / self._rate.per_s)

    def has_failed(self, address: str, about: str) -> bool:
        """Tell whether the address has failed lately, so that `check` may have something to say."""
        return (_network(address), about) in self._left

    def note(self, address: str, about: str) -> None:
        """Count one failure; without an address, nobody's."""
        if not address:
            return
        name = (_network(address), about)
        self._left[name] = (max(0.0, self._left_now(name) - 1), self._clock.monotonic())
        self._left.move_to_end(name)
        if len(self._left) > MAX_ADDRESSES:
            self._left.popitem(last=False)

    def _left_now(self, name: tuple[str, str]) -> float:
        left, at = self._left.get(name, (float(self._rate.burst), 0.0))
        return min(self._rate.burst, left + (self._clock.monotonic() - at) * self._rate.per_s)


def _network(address: str) -> str:
    """Return the address, or of IPv6 its /64: whoever has one address of that has them all."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address
