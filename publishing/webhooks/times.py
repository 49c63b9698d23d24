"""What an attempt took, as a bar of phases. Pure."""

from dataclasses import dataclass

from publishing.models import WebhookAttempt

#: Width of a bar in units of its own.
BAR_WIDTH = 1000


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a bar, in its units from the left, and in milliseconds."""

    name: str
    what: str
    ms: float
    x: int
    width: int


def phases_of(attempt: WebhookAttempt) -> list[Phase]:
    """Return the phases that an attempt came to, in their order. What is below a unit gets one: it is there."""
    dns, connect, tls = (attempt.dns_ms or 0.0), (attempt.connect_ms or 0.0), (attempt.tls_ms or 0.0)
    head = attempt.first_byte_ms
    waiting = (attempt.total_ms if head is None else head) - dns - connect - tls
    parts = [
        ("dns", "look-up of the name", attempt.dns_ms),
        ("connect", "connecting", attempt.connect_ms),
        ("tls", "TLS handshake", attempt.tls_ms),
        ("wait", "waiting for the answer", max(waiting, 0.0)),
        ("read", "reading the answer", None if head is None else max(attempt.total_ms - head, 0.0)),
    ]
    there = [(name, what, ms) for name, what, ms in parts if ms is not None]
    whole = max(sum(ms for _, _, ms in there), 0.001)
    phases, x = [], 0
    for name, what, ms in there:
        width = min(max(round(ms / whole * BAR_WIDTH), 1), BAR_WIDTH - x)
        phases.append(Phase(name, what, ms, x, width))
        x += width
    return phases
