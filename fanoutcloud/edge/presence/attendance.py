"""What the hub tells of comings and goings, to whoever counts them (`edge.presence.presence`)."""

from typing import Protocol

from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.hub.subscriber import Subscriber


class Attendance(Protocol):
    """Called on the event loop; must neither wait nor raise."""

    def opened(self, local: LocalChannel) -> None:
        """A channel has come to this process."""

    def entered(self, subscriber: Subscriber, local: LocalChannel) -> None:
        """A subscriber has the channel from now on."""

    def exited(self, subscriber: Subscriber, local: LocalChannel) -> None:
        """A subscriber that entered does not have the channel any more."""
