"""Limits of one edge process, handed in at composition."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Sizes in bytes, times in seconds."""

    outbox_bytes: int = 1_048_576  # more than this unsent: the subscriber is slow
    stuck_s: float = 10.0  # unsent bytes that do not get fewer for this long: slow, too
    keep_alive_s: float = 25.0  # proxies commonly drop connections that are idle for 60 s
    max_channels: int = 200  # per subscriber
    max_patterns: int = 20  # per subscriber
    max_message_bytes: int = 65_536  # one WebSocket message from a client
    compresses: bool = False  # large WebSocket messages, for clients that ask for it
    max_waiting_commands: int = 64  # WebSocket commands received and not yet handled
    commands_per_s: float = 100.0  # per WebSocket, for long
    commands_burst: int = 400  # and at once: every channel of a full subscriber, twice
    poll_s: float = 25.0  # a long-poll is answered empty after this; clients give up at 60 s
    max_poll_s: float = 55.0
    catch_up_page_items: int = 100
    catch_up_bytes: int = 65_536  # unsent bytes above which catching up waits for the client
    linger_s: float = 60.0  # a channel without subscribers stays subscribed at the broker for this long
    position_check_s: float = 10.0  # how often a quiet channel is compared with the broker's position
