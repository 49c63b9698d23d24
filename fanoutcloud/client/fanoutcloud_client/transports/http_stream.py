"""HTTP streaming: JSON lines without an end."""

import contextlib
from collections.abc import AsyncIterator

import httpx

from fanoutcloud_client.calls import CONNECT_TIMEOUT_S, error_of_answer, unreachable
from fanoutcloud_client.errors import FanoutError, error_of_message
from fanoutcloud_client.json_text import decode_object
from fanoutcloud_client.transports.link import (
    DEFAULT_KEEP_ALIVE_S,
    SILENCE_S,
    LinkLost,
    LinkRefused,
    Message,
    Target,
    TransportName,
    end_of_closing,
)

#: One line or event may be this large; beyond, something else than our server speaks.
MAX_LINE_BYTES = 8 * 1024 * 1024


class HttpStreamLink:
    """One open response whose lines are messages."""

    name: TransportName = "http-stream"
    tells_every_position = True
    path = "/fanout/stream"

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._messages = self._read(response.aiter_lines())
        self._last_error: FanoutError | None = None

    async def receive(self) -> Message:
        """Return the next message; see `Link`."""
        try:
            message = await anext(self._messages, None)
        except httpx.ReadTimeout:
            raise LinkLost("silence", at_once=True) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise LinkLost("cut", error=unreachable(str(self._response.url), error)) from error
        if message is None:
            raise LinkLost("cut", at_once=True)
        if message.get("type") == "closing":
            raise end_of_closing(message, self._last_error)
        if message.get("type") == "error" and not message.get("channel"):
            self._last_error = error_of_message(message, 400)
        return message

    async def send_token(self, token: str) -> bool:
        """Streams go one way: another token needs another request."""
        return False

    async def close(self) -> None:
        """Give the connection back."""
        with contextlib.suppress(Exception):
            await self._response.aclose()

    async def _read(self, lines: AsyncIterator[str]) -> AsyncIterator[Message]:
        async for line in lines:
            if line and (message := decode_object(line)) is not None:
                yield message


class SseLink(HttpStreamLink):
    """One event stream. Event names and ids repeat what the JSON says, so only `data:` is read."""

    name: TransportName = "sse"
    path = "/fanout/sse"

    async def _read(self, lines: AsyncIterator[str]) -> AsyncIterator[Message]:
        data: list[str] = []
        async for line in lines:
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line and data:
                message = decode_object("\n".join(data))
                data = []
                if message is not None:
                    yield message


async def open_stream(
    target: Target, http: httpx.AsyncClient, kind: type[HttpStreamLink]
) -> tuple[HttpStreamLink, Message]:
    """Send the request, and return the link with the server's first message: a proxy that buffers keeps that back.

    Raises:
        LinkLost, LinkRefused, LinkEnded: it did not come to that.
    """
    url = target.service.site_address(kind.path, target.query)
    request = http.build_request(
        "GET",
        url,
        headers=target.headers,
        timeout=httpx.Timeout(DEFAULT_KEEP_ALIVE_S + SILENCE_S, connect=CONNECT_TIMEOUT_S),
    )
    try:
        response = await http.send(request, stream=True)
    except httpx.HTTPError as error:
        raise LinkLost("unreachable", error=unreachable(url, error)) from error
    link = kind(response)
    try:
        if response.status_code != 200:
            raise refusal(response.status_code, response.headers, await response.aread())
        return link, await link.receive()
    except BaseException:
        await link.close()
        raise


def refusal(status: int, headers: httpx.Headers, body: bytes) -> Exception:
    """Return what an answer other than 200 means for the subscription."""
    error = error_of_answer(status, headers, body)
    if error.retryable or status == 408:
        return LinkLost(error.code, error=error)
    return LinkRefused(error)
