"""Long-polling: a request for each answer. It passes wherever HTTP passes."""

from collections import deque

import httpx

from fanoutcloud_client.calls import CONNECT_TIMEOUT_S, unreachable
from fanoutcloud_client.json_text import decode_object
from fanoutcloud_client.transports.http_stream import refusal
from fanoutcloud_client.transports.link import SILENCE_S, LinkLost, Message, Target, TransportName

POLL_S = 25


class LongPollLink:
    """Polls one after another; what each answers is told as the messages that other transports get."""

    name: TransportName = "long-poll"
    tells_every_position = False

    def __init__(self, target: Target, http: httpx.AsyncClient) -> None:
        self._target = target
        self._http = http
        self._cursor = target.since
        self._waiting: deque[Message] = deque()

    async def begin(self) -> Message:
        """Ask for what there is at once; return a welcome."""
        before = self._cursor
        answer = await self._poll(timeout_s=0)
        recovered = before is not None and not answer.get("resets")
        for channel, position in zip(self._target.channels, (before or str(self._cursor)).split(","), strict=False):
            told = {"type": "subscribed", "channel": channel, "position": position, "recovered": recovered}
            self._waiting.append(told)
        self._take(answer)
        return {"type": "welcome"}

    async def receive(self) -> Message:
        """Return the next message; see `Link`."""
        while not self._waiting:
            self._take(await self._poll(timeout_s=POLL_S))
        return self._waiting.popleft()

    async def send_token(self, token: str) -> bool:
        """Use the token for the next poll; the one before holds for the poll that is open."""
        self._target = Target(
            self._target.service,
            self._target.channels,
            patterns=self._target.patterns,
            filter=self._target.filter,
            token=token,
        )
        return True

    async def close(self) -> None:
        """Nothing is open but the request, which ends by being cancelled."""

    def _take(self, answer: Message) -> None:
        """Queue what an answer tells: resets first, then its items, then where the cursor stands."""
        self._waiting.extend(answer.get("resets", []))
        self._waiting.extend(answer.get("items", []))
        places = str(answer.get("cursor", "")).split(",")
        for channel, position in zip(self._target.channels, places, strict=False):
            self._waiting.append({"type": "position", "channel": channel, "position": position})

    async def _poll(self, *, timeout_s: int) -> Message:
        query = [pair for pair in self._target.query if pair[0] not in ("since", "presence")]
        query += [("since", self._cursor)] if self._cursor else []
        url = self._target.service.site_address("/fanout/poll", [*query, ("timeout", str(timeout_s))])
        timeout = httpx.Timeout(timeout_s + SILENCE_S, connect=CONNECT_TIMEOUT_S)
        try:
            got = await self._http.get(url, headers=self._target.headers, timeout=timeout)
        except httpx.HTTPError as error:
            raise LinkLost("unreachable", error=unreachable(url, error)) from error
        if got.status_code != 200:
            raise refusal(got.status_code, got.headers, got.content)
        answer = decode_object(got.content)
        if answer is None or not isinstance(answer.get("cursor"), str):
            raise LinkLost("the answer to a poll is not in our words")
        self._cursor = answer["cursor"]
        return answer


async def open_long_poll(target: Target, http: httpx.AsyncClient) -> tuple[LongPollLink, Message]:
    """Make the first poll, which is answered at once.

    Raises:
        LinkLost, LinkRefused: it was not.
    """
    link = LongPollLink(target, http)
    return link, await link.begin()


async def find_cursor(target: Target, http: httpx.AsyncClient) -> str:
    """Return a cursor for the target's channels as they stand now.

    Raises:
        LinkLost, LinkRefused: the poll failed.
    """
    link = LongPollLink(target, http)
    await link.begin()
    return str(link._cursor)
