"""`fanout subscribe`."""

import asyncio
import base64
import sys
import time
from pathlib import Path
from typing import Any

import click

from fanoutcloud_client.cli.output import EXIT_TIMED_OUT, command, note, paint, say, to_json
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.events import ChannelError, Event, PresenceChange, ReceivedItem, Reset, Subscribed, Unsubscribed
from fanoutcloud_client.items import NOTHING
from fanoutcloud_client.json_text import decode_object
from fanoutcloud_client.subscriptions import AsyncSubscription, State
from fanoutcloud_client.transports.ladder import ALL_TRANSPORTS

_SHORT_NAMES = {"ws": "websocket", "stream": "http-stream", "poll": "long-poll"}


def add_subscribe(group: click.Group) -> None:
    """Add the command."""

    @command(group, "subscribe")
    @click.argument("channels", nargs=-1, metavar="CHANNEL...")
    @click.option("--pattern", "patterns", multiple=True, help="All channels that begin so, such as 'orders.*'.")
    @click.option("--filter", "expression", help='Only items whose tags match, such as "priority >= 3".')
    @click.option("--presence", is_flag=True, help="Tell who comes and goes, where the channel's rule counts them.")
    @click.option(
        "--since", help="Go on behind this position; with several channels, one for each with commas between."
    )
    @click.option(
        "--transport",
        "transports",
        multiple=True,
        type=click.Choice([*ALL_TRANSPORTS, *_SHORT_NAMES]),
        help="Use this one only; several are tried in order.",
    )
    @click.option("--count", type=click.IntRange(min=1), help="End after so many items.")
    @click.option("--timeout", type=click.FloatRange(min=0), help="End after so many seconds.")
    @click.option("--save", type=click.Path(path_type=Path), help="Keep positions in this file, and go on from them.")
    def subscribe(settings: Settings, **given: Any) -> None:
        """Print what is published to channels, until interrupted.

        The connection is made again when it is lost, and nothing is missed: what can't be made up for is told as a
        reset. With --count and --timeout, the exit code is 7 where fewer items came in time.
        """
        sys.exit(asyncio.run(_Listener(settings, given).listen()))


class _Listener:
    def __init__(self, settings: Settings, given: dict[str, Any]) -> None:
        self._settings = settings
        self._given = given
        self._since = self._read_since()
        self._left: int | None = given["count"]

    async def listen(self) -> int:
        """Print events until enough came, time is up, or the publisher ended it; return the exit code."""
        given = self._given
        end_at = None if given["timeout"] is None else time.monotonic() + given["timeout"]
        async with (
            self._settings.open_async() as fanout,
            fanout.subscribe(
                *given["channels"],
                patterns=given["patterns"],
                since=self._since,
                filter=given["expression"],
                presence=given["presence"],
                transports=[_SHORT_NAMES.get(name, name) for name in given["transports"]] or ALL_TRANSPORTS,
                on_state=self._on_state,
            ) as subscription,
        ):
            while self._left != 0:
                try:
                    async with asyncio.timeout(None if end_at is None else max(0.0, end_at - time.monotonic())):
                        event = await anext(subscription, None)
                except TimeoutError:
                    return EXIT_TIMED_OUT if self._left else 0
                if event is None:
                    note(self._settings, "the publisher ended the connection")
                    return 0
                self._take(event, subscription)
        return 0

    def _take(self, event: Event, subscription: AsyncSubscription) -> None:
        if self._settings.as_json or isinstance(event, ReceivedItem):
            say(self._settings, to_members(event), to_line(event, with_channel=self._names_channels))
        else:
            note(self._settings, to_line(event, with_channel=True))
        if self._given["save"] is not None:
            self._given["save"].write_text(to_json(subscription.positions) + "\n")
        if self._left is not None and isinstance(event, ReceivedItem):
            self._left -= 1

    @property
    def _names_channels(self) -> bool:
        return len(self._given["channels"]) != 1 or bool(self._given["patterns"])

    def _on_state(self, state: State) -> None:
        if state.name == "reconnecting" and state.retry_in_s is not None:
            note(self._settings, f"connection lost ({state.reason}); trying again in {state.retry_in_s:.1f} s")
        elif state.name == "connected":
            note(self._settings, f"connected over {state.transport}")

    def _read_since(self) -> dict[str, str] | None:
        """Return positions by channel, of --since or of the file of --save.

        Raises:
            InvalidRequest: there is not one for each channel, or the file is not ours.
        """
        channels, since, save = self._given["channels"], self._given["since"], self._given["save"]
        if since is not None:
            positions = since.split(",")
            if len(positions) != len(channels):
                raise InvalidRequest(
                    f"{len(positions)} positions for {len(channels)} channels", cure="give one for each", field="since"
                )
            return dict(zip(channels, positions, strict=True))
        if save is None or not save.exists():
            return None
        kept = decode_object(save.read_text())
        if kept is None:
            raise InvalidRequest(
                f"{save} does not hold positions", cure="name another file, or remove it", field="save"
            )
        return {channel: str(position) for channel, position in kept.items() if channel in channels}


def to_members(event: Event) -> dict[str, Any]:
    """Return an event as JSON: `type` and the members of docs/api/subscribe.md."""
    match event:
        case ReceivedItem():
            told: dict[str, Any] = {"type": "item", "channel": event.channel, "position": event.position}
            optional = {"id": event.id, "user": event.user, "tags": event.tags or None, "text": event.text}
            optional["published_at"] = event.published_at
            optional["base64"] = None if event.raw is None else base64.b64encode(event.raw).decode()
            told |= {name: value for name, value in optional.items() if value is not None}
            return told if event.data is NOTHING else told | {"data": event.data}
        case Subscribed():
            return {
                "type": "subscribed",
                "channel": event.channel,
                "position": event.position,
                "recovered": event.recovered,
            }
        case Reset():
            return {"type": "reset", "channel": event.channel, "position": event.position, "reason": event.reason}
        case Unsubscribed():
            return {"type": "unsubscribed", "channel": event.channel}
        case ChannelError():
            words = {"code": event.code, "message": event.message, "cure": event.cure}
            return {"type": "error", "channel": event.channel, **words}
        case PresenceChange():
            told = {"type": "presence", "channel": event.channel, "count": event.count, "anonymous": event.anonymous}
            changes = {"members": event.members, "joined": event.joined or None, "left": event.left or None}
            return told | {name: value for name, value in changes.items() if value is not None}


def to_line(event: Event, *, with_channel: bool) -> str:
    """Return an event for people."""
    match event:
        case ReceivedItem():
            content = event.content
            text = content if isinstance(content, str) else repr(content) if event.raw else to_json(content)
            return f"{paint(event.channel, 'cyan')}  {text}" if with_channel else text
        case Subscribed():
            return f"subscribed to {event.channel} at {event.position}" + (" (recovered)" if event.recovered else "")
        case Reset():
            return f"reset: items of {event.channel} were lost ({event.reason}); load your state anew"
        case Unsubscribed():
            return f"unsubscribed from {event.channel}"
        case ChannelError():
            return f"error: {event.channel}: {event.message}; {event.cure}"
        case PresenceChange():
            joined = [str(one.get("user")) for one in event.joined or event.members or []]
            moves = [*(f"+{user}" for user in joined), *(f"-{user}" for user in event.left)]
            return f"presence: {event.channel}: {event.count} users {' '.join(moves)}".rstrip()
