"""`fanout tail`: what the server sees of a realm, live, as on the console (docs/api/activity.md)."""

import asyncio
import sys
import time
from typing import Any

import click
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from fanoutcloud_client.backoff import Backoff
from fanoutcloud_client.calls import unreachable
from fanoutcloud_client.cli.output import EXIT_TIMED_OUT, command, note, paint, say, to_json
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.errors import FanoutError, NotFound, Unreachable
from fanoutcloud_client.json_text import decode_object
from fanoutcloud_client.service import Service

OPEN_TIMEOUT_S = 10.0
SILENCE_S = 45.0
_COLOURS = {"published": "cyan", "delivered": "green", "refused": "red", "origin_failed": "red"}
_QUIET = {"watching", "keep-alive"}
_NOT_FOUND = 4404
#: What a line says first; the rest follows as the server told it.
_FIRST = ("channel", "transport", "channels", "outcome", "code", "message", "cure")
_HIDDEN = ("kind", "at", "connection")


def add_tail(group: click.Group) -> None:
    """Add the command."""

    @command(group, "tail")
    @click.option("--kind", "kinds", multiple=True, help="Only such events, such as published or refused; several.")
    @click.option("--channel", help="Only events of this channel.")
    @click.option("--count", type=click.IntRange(min=1), help="End after so many events.")
    @click.option("--timeout", type=click.FloatRange(min=0), help="End after so many seconds.")
    def tail(settings: Settings, **given: Any) -> None:
        """Print what the server sees of the realm: connections, publishes, deliveries, refusals with their cures.

        Needs a credential with the scope connections:read. Events are not kept: what happens while nobody looks is
        not shown.
        """
        sys.exit(asyncio.run(_Tail(settings, given).follow()))


class _Tail:
    def __init__(self, settings: Settings, given: dict[str, Any]) -> None:
        self._settings = settings
        self._given = given
        self._service = Service(settings.need_url(), settings.realm, settings.key, settings.api_token)
        self._left: int | None = given["count"]

    async def follow(self) -> int:
        """Print events until enough came or time is up, whatever becomes of connections; return the exit code."""
        try:
            async with asyncio.timeout(self._given["timeout"]):
                await self._follow()
        except TimeoutError:
            return EXIT_TIMED_OUT if self._left else 0
        return 0

    async def _follow(self) -> None:
        backoff = Backoff()
        while self._left != 0:
            began_at = time.monotonic()
            try:
                await self._follow_once()
            except (ConnectionClosed, Unreachable) as lost:
                if isinstance(lost, ConnectionClosed) and lost.rcvd is not None and lost.rcvd.code == _NOT_FOUND:
                    raise _not_yours(self._settings.realm) from None
                delay_s = backoff.next_delay_s(lived_s=time.monotonic() - began_at)
                note(self._settings, f"connection lost; trying again in {delay_s:.1f} s")
                await asyncio.sleep(delay_s)

    async def _follow_once(self) -> None:
        url = f"{self._service.url}/live/{self._service.need_realm()}/"
        headers = {"Authorization": self._service.credential, "Origin": self._service.url}
        try:
            socket = await connect(
                "ws" + url.removeprefix("http"),
                additional_headers=headers,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=None,
            )
        except InvalidStatus as refused:
            raise _not_yours(self._settings.realm) from refused
        except (OSError, InvalidHandshake, InvalidURI, EOFError) as error:
            raise unreachable(url, error) from error
        async with socket:
            while self._left != 0:
                try:
                    message = decode_object(await asyncio.wait_for(socket.recv(), SILENCE_S))
                except TimeoutError:  # not ours: `follow` has that
                    raise Unreachable("the server is silent") from None
                if message is not None:
                    self._take(message)

    def _take(self, event: dict[str, Any]) -> None:
        kind = str(event.get("kind", ""))
        if kind == "watching":
            note(self._settings, f"watching {self._settings.realm}; Ctrl-C ends it")
        if kind in _QUIET or (self._given["kinds"] and kind not in self._given["kinds"]):
            return
        channel = self._given["channel"]
        if channel is not None and channel not in (event.get("channel"), *(event.get("channels") or [])):
            return
        say(self._settings, event, to_line(event))
        if self._left is not None:
            self._left -= 1


def to_line(event: dict[str, Any]) -> str:
    """Return an event for people: time, kind, what it is about, the rest."""
    kind = str(event.get("kind", ""))
    at = time.strftime("%H:%M:%S", time.localtime(float(event.get("at", 0))))
    names = [*(name for name in _FIRST if name in event), *(name for name in event if name not in (*_FIRST, *_HIDDEN))]
    told = [f"{name}={_shown(event[name])}" for name in names if event[name] not in (None, "", [], {})]
    return f"{at}  {paint(f'{kind:<13}', _COLOURS.get(kind, 'bright_black'))} {' '.join(told)}"


def _shown(value: Any) -> str:  # Any: JSON
    return value if isinstance(value, str) and " " not in value else to_json(value)


def _not_yours(realm: str) -> FanoutError:
    return NotFound(
        f"there is no realm {realm!r} whose activity this credential may see",
        cure="check --realm, and that the API token has the scope connections:read",
    )
