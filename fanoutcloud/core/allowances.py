"""How much and how fast: what limits are made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a channel's past is kept: the newest `items`, none older than `age_s` seconds."""

    items: int = 100
    age_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast something may go on, as a token bucket: `per_s` for long, `burst` at once."""

    per_s: float
    burst: int
