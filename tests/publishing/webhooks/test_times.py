"""The bar of phases that an attempt came to."""

from datetime import UTC, datetime

import pytest

from publishing.models import WebhookAttempt
from publishing.webhooks.times import BAR_WIDTH, phases_of


def attempt(**times: float | None) -> WebhookAttempt:
    return WebhookAttempt(number=1, started_at=datetime.now(UTC), **times)


def test_a_whole_attempt_has_all_phases_end_to_end() -> None:
    phases = phases_of(attempt(dns_ms=10, connect_ms=20, tls_ms=30, first_byte_ms=160, total_ms=200))

    assert [(phase.name, phase.ms) for phase in phases] == [
        ("dns", 10), ("connect", 20), ("tls", 30), ("wait", 100), ("read", 40),
    ]  # fmt: skip
    assert [phase.x for phase in phases] == [0, 50, 150, 300, 800]
    assert phases[-1].x + phases[-1].width == BAR_WIDTH


@pytest.mark.parametrize(
    ("times", "names"),
    [
        ({"total_ms": 5000.0, "dns_ms": 5000.0}, ["dns", "wait"]),
        ({"total_ms": 12.0, "first_byte_ms": 11.0}, ["wait", "read"]),
        ({"total_ms": 0.0}, ["wait"]),
        ({"total_ms": 1.0, "first_byte_ms": 5.0, "dns_ms": 9.0}, ["dns", "wait", "read"]),
    ],
)
def test_what_did_not_happen_is_not_shown(times: dict[str, float], names: list[str]) -> None:
    phases = phases_of(attempt(**times))

    assert [phase.name for phase in phases] == names
    assert all(0 <= phase.x <= phase.x + phase.width <= BAR_WIDTH for phase in phases)
