"""WebSocket: the only transport on which a token is renewed without a break."""

import asyncio
import contextlib

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from fanoutcloud_client.calls import error_of_answer, unreachable
from fanoutcloud_client.errors import FanoutError, error_of_message
from fanoutcloud_client.json_text import decode_object, encode
from fanoutcloud_client.transports.link import (
    DEFAULT_KEEP_ALIVE_S,
    OPEN_TIMEOUT_S,
    SILENCE_S,
    LinkEnded,
    LinkLost,
    LinkRefused,
    Message,
    Target,
    TransportName,
)

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_CLOSE_TIMEOUT_S = 1.0
_STATUS_OF_CODE = {3400: 400, 3401: 401, 3403: 403, 3404: 404, 3410: 410, 3490: 403}


class WebSocketLink:
    """One open WebSocket."""

    name: TransportName = "websocket"
    tells_every_position = True

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._keep_alive_s = DEFAULT_KEEP_ALIVE_S
        self._last_error: FanoutError | None = None

    async def receive(self) -> Message:
        """Return the next message; see `Link`."""
        while True:
            try:
                async with asyncio.timeout(self._keep_alive_s + SILENCE_S):
                    text = await self._socket.recv()
            except TimeoutError:
                raise LinkLost("silence", at_once=True) from None
            except ConnectionClosed as closed:
                raise self._end_of(closed) from None
            message = decode_object(text)
            if message is not None:
                self._note(message)
                return message

    async def send_token(self, token: str) -> bool:
        """Renew the token in place."""
        with contextlib.suppress(ConnectionClosed):  # `receive` will tell
            await self._socket.send(encode({"type": "auth", "token": token}).decode())
        return True

    async def close(self) -> None:
        """Say good-bye, and wait a second at most."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._socket.close()

    def _note(self, message: Message) -> None:
        if message.get("type") == "welcome":
            self._keep_alive_s = float(message.get("keep_alive_s", DEFAULT_KEEP_ALIVE_S))
        elif message.get("type") == "error":
            code = str(message.get("code", ""))
            status = 429 if "limit" in message or code == "too_many_commands" else 400
            self._last_error = error_of_message(message, status)

    def _end_of(self, closed: ConnectionClosed) -> Exception:
        code, reason = (1006, "") if closed.rcvd is None else (closed.rcvd.code, closed.rcvd.reason)
        told = self._last_error
        if code in _STATUS_OF_CODE and code != 3490:
            error = told or FanoutError(reason or f"closed with {code}", code=reason)
            members = {"code": error.code, "message": error.message, "cure": error.cure, "field": error.field}
            return LinkRefused(error_of_message(members, _STATUS_OF_CODE[code]))
        if code == 1000 or 3000 <= code < 4000:
            return LinkEnded(reason or f"closed with {code}")
        return LinkLost(reason or f"closed with {code}", at_once=code == 1012 or 4000 <= code < 4500, error=told)


async def open_websocket(target: Target) -> tuple[WebSocketLink, Message]:
    """Connect, and return the link with the server's first message.

    Raises:
        LinkLost, LinkRefused, LinkEnded: it did not come to that.
    """
    url = "ws" + target.service.site_address("/fanout/ws", target.query).removeprefix("http")
    try:
        socket = await connect(
            url,
            additional_headers=[pair for pair in target.headers if pair[0] != "User-Agent"],
            user_agent_header=dict(target.headers)["User-Agent"],
            compression=None,  # prepared frames are the server's fast path
            ping_interval=None,  # the server's keep-alives show a dead connection
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
        )
    except InvalidStatus as refused:
        raise _of_status(refused) from None
    except (OSError, InvalidHandshake, InvalidURI, EOFError) as error:
        raise LinkLost("unreachable", error=unreachable(target.service.site, error)) from error
    link = WebSocketLink(socket)
    try:
        return link, await link.receive()
    except BaseException:
        await link.close()
        raise


def _of_status(refused: InvalidStatus) -> Exception:
    response = refused.response
    error = error_of_answer(response.status_code, _headers(response.headers), bytes(response.body or b""))
    if error.status == 404 and not error.cure.startswith("check"):
        return LinkLost("no WebSockets here", error=error)
    # Proxies without WebSockets answer with any status, and not in our words: other transports may pass.
    return LinkRefused(error) if error.code in ("unknown_realm", "realm_deleted") else LinkLost("refused", error=error)


def _headers(headers: object) -> httpx.Headers:
    return httpx.Headers(list(headers.raw_items()))  # type: ignore[attr-defined]
