"""How long to wait before the next attempt. Random throughout, so that many clients do not come back together."""

import random
from dataclasses import dataclass, field

FIRST_S = 0.5
LONGEST_S = 20.0
#: A connection that lived so long was a good one: its first reconnect comes at once.
GOOD_AFTER_S = 10.0
#: The counter begins anew after so long, not at connect: a server that takes and drops us is not well.
RESET_AFTER_S = 30.0
MAX_RETRY_AFTER_S = 120.0


@dataclass(slots=True)
class Backoff:
    """The delays of one subscription: 0.5 s to min(20 s, 0.5 s · 2ⁿ) + 0.5 s, with full jitter."""

    attempt: int = 0
    chance: random.Random = field(default_factory=random.Random)

    def note_life(self, lived_s: float) -> None:
        """Count a connection that has ended after `lived_s`."""
        if lived_s >= RESET_AFTER_S:
            self.attempt = 0

    def next_delay_s(self, *, lived_s: float = 0.0, at_once: bool = False, retry_after_s: float | None = None) -> float:
        """Return how long to wait now; `at_once` is what the server said of itself, `retry_after_s` too."""
        self.note_life(lived_s)
        attempt, self.attempt = self.attempt, self.attempt + 1
        if retry_after_s is not None:
            return min(retry_after_s, MAX_RETRY_AFTER_S) + self.chance.uniform(0.0, FIRST_S)
        if attempt == 0 and (at_once or lived_s > GOOD_AFTER_S):
            return self.chance.uniform(0.0, FIRST_S)
        return self.chance.uniform(FIRST_S, min(LONGEST_S, FIRST_S * 2.0 ** min(attempt, 16)) + FIRST_S)


def request_delay_s(attempt: int, retry_after_s: float | None, chance: random.Random) -> float:
    """Return the wait before a request is sent again: up to 0.25 s · 2ⁿ, 8 s at most, or what the server asked for."""
    if retry_after_s is not None:
        return min(retry_after_s, MAX_RETRY_AFTER_S) + chance.uniform(0.0, 0.25)
    return chance.uniform(0.05, min(8.0, 0.25 * 2.0**attempt))
