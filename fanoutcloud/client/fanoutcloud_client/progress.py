"""How far a subscription is in each channel. Pure; the same on every transport."""

from collections.abc import Iterable, Mapping
from typing import Any

from fanoutcloud_client.events import Event, Reset, read_event

JsonObject = Mapping[str, Any]


class Gap(Exception):
    """An item of a channel came after one that did not: to be asked for again, from the last good position."""


class Progress:
    """Channels in the order of the request, each with its newest position, or none yet.

    Positions are opaque but for this: before the last colon stands the epoch, behind it a count within the epoch. That
    is enough to drop what came before, and to see what is missing.
    """

    def __init__(self, channels: Iterable[str], since: Mapping[str, str] | None = None) -> None:
        self._positions: dict[str, str | None] = dict.fromkeys(channels)
        self._positions.update(since or {})
        #: Whether each position is told. Not with a filter, nor by long-polls: positions then move by more than one.
        self.sees_every_position = False
        self._asked_again: set[tuple[str, str]] = set()

    @property
    def channels(self) -> list[str]:
        """The channels in order, those that patterns found behind the others."""
        return list(self._positions)

    @property
    def positions(self) -> dict[str, str]:
        """The newest position of each channel that has one: to be kept, and given as `since` later."""
        return {channel: position for channel, position in self._positions.items() if position}

    @property
    def unknown(self) -> list[str]:
        """Channels without a position."""
        return [channel for channel, position in self._positions.items() if position is None]

    @property
    def cursor(self) -> str | None:
        """The positions in order, joined by commas, or None while one is unknown."""
        return None if self.unknown or not self._positions else ",".join(map(str, self._positions.values()))

    def read_cursor(self, channels: Iterable[str], cursor: str) -> None:
        """Take over a cursor that the server made for these channels."""
        self._positions.update(zip(channels, cursor.split(","), strict=True))

    def take(self, message: JsonObject) -> list[Event]:
        """Note where the message leads to and return what it tells: nothing if that was told before.

        Raises:
            Gap: items before this one are missing. Raised once for each place; then it is told as `Reset`.
        """
        kind, channel = message.get("type"), str(message.get("channel", ""))
        if kind in ("item", "position"):
            return self._take_item(channel, message)
        if kind in ("subscribed", "reset") and channel:
            self._positions[channel] = str(message.get("position", ""))
        elif kind == "unsubscribed" and channel:
            self._positions.pop(channel, None)
        return _events_of(message)

    def _take_item(self, channel: str, message: JsonObject) -> list[Event]:
        position = str(message.get("position", ""))
        before = self._positions.get(channel)
        step = _step(before, position)
        if step is not None and step <= 0:
            return []
        lost: list[Event] = []
        if step is not None and step > 1 and self.sees_every_position:
            place = (channel, before or "")
            if place not in self._asked_again:
                self._asked_again.add(place)
                raise Gap(channel)
            lost = [Reset(channel, position, "gap")]
        self._positions[channel] = position
        return [*lost, *_events_of(message)]


def _events_of(message: JsonObject) -> list[Event]:
    event = read_event(message)
    return [] if event is None else [event]


def _step(before: str | None, position: str) -> int | None:
    """Return by how much `position` is ahead of the one before, or None: they can't be compared."""
    if before is None:
        return None
    old_epoch, _, old = before.rpartition(":")
    epoch, _, new = position.rpartition(":")
    if epoch != old_epoch or not (old.isdigit() and new.isdigit()):
        return None
    return int(new) - int(old)
