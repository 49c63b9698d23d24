"""What metrics tell of webhooks."""

from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.statistics import WebhookStatistics
from fanoutcloud.core.webhooks import OutboxState
from fanoutcloud.ops.webhook_watch import WebhookWatch
from tests.fakes.clock import SteppedClock


class SetOutbox:
    """Says what it was set to; None: nothing."""

    def __init__(self) -> None:
        self.state: OutboxState | None = OutboxState()

    async def look(self) -> OutboxState:
        if self.state is None:
            raise Unavailable("gone", retry_after_s=1)
        return self.state


async def test_it_is_told_as_the_outbox_tells_it_and_stays_while_that_is_gone():
    clock, outbox, statistics = SteppedClock(), SetOutbox(), WebhookStatistics()
    watch = WebhookWatch(outbox, clock, statistics)  # type: ignore[arg-type]  # of an outbox it is asked alone

    outbox.state = OutboxState(3, clock.now() - 7, {"delivered": 5})
    await watch.look()
    first = (statistics.waiting, statistics.oldest_s, dict(statistics.calls))
    outbox.state = None
    await watch.look()
    while_gone = (statistics.waiting, statistics.oldest_s)
    outbox.state = OutboxState(0, None, {"delivered": 6, "dns": 1})
    await watch.look()

    assert first == (3, 7.0, {"delivered": 5})
    assert while_gone == (3, 7.0)
    assert (statistics.waiting, statistics.oldest_s) == (0, 0.0)
    assert statistics.calls == {"delivered": 6, "dns": 1}
