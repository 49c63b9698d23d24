"""A Bayeux client as plain as can be, over each of the protocol's transports."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.contracts.transports import PATIENCE_S, SiteUnderTest

Message = dict[str, Any]


class BayeuxClient:
    """Says what it is told to, and keeps what was delivered. `say` gives the answers of one request."""

    kind: ClassVar[str]

    def __init__(self, site: SiteUnderTest) -> None:
        self.site = site
        self.client_id = ""
        self.delivered: list[Message] = []
        self._last_id = 0

    async def __aenter__(self) -> "BayeuxClient":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Leave without a word."""

    async def say(self, *messages: Message) -> list[Message]:
        """Send a batch, return the answers to its messages, and keep what came with them."""
        for message in messages:
            self._last_id += 1
            message.setdefault("id", str(self._last_id))
            if self.client_id:
                message.setdefault("clientId", self.client_id)
        replies = await self._exchange(list(messages))
        self.delivered += [reply for reply in replies if "data" in reply]
        return [reply for reply in replies if "data" not in reply]

    async def _exchange(self, messages: list[Message]) -> list[Message]:
        raise NotImplementedError

    async def shake_hands(self) -> Message:
        [reply] = await self.say(
            {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": [self.kind]}
        )
        self.client_id = reply.get("clientId", "")
        return reply

    async def subscribe(self, *names: str) -> Message:
        subscription: object = names[0] if len(names) == 1 else list(names)
        [reply] = await self.say({"channel": "/meta/subscribe", "subscription": subscription})
        return reply

    async def connect(self, timeout_ms: int | None = None, **members: object) -> Message:
        """Connect once; 0 asks for an answer at once."""
        advice = {} if timeout_ms is None else {"advice": {"timeout": timeout_ms}}
        message = {"channel": "/meta/connect", "connectionType": self.kind, **advice, **members}
        async with asyncio.timeout(PATIENCE_S):
            [reply] = await self.say(message)
        return reply

    async def begin(self, *names: str) -> "BayeuxClient":
        """Shake hands, connect and subscribe, as clients do."""
        assert (await self.shake_hands())["successful"]
        assert (await self.connect(0))["successful"]
        assert (await self.subscribe(*names))["successful"]
        return self

    async def data(self, count: int) -> list[Any]:
        """Connect until `count` items were delivered; return their data."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.delivered) < count:
                reply = await self.connect(1000)
                assert reply["successful"], reply
        return [message["data"] for message in self.delivered]


class LongPolling(BayeuxClient):
    kind = "long-polling"

    async def _exchange(self, messages: list[Message]) -> list[Message]:
        return self._read(await self.site.get("/bayeux", method="POST", json=messages))

    def _read(self, answer: httpx.Response) -> list[Message]:
        assert answer.status_code == 200, answer.text
        replies: list[Message] = answer.json()
        return replies


class CrossOriginLongPolling(LongPolling):
    kind = "cross-origin-long-polling"
    origin = "https://page.example"

    async def _exchange(self, messages: list[Message]) -> list[Message]:
        form = {"message": json.dumps(messages)}
        answer = await self.site.get("/bayeux", method="POST", data=form, headers={"Origin": self.origin})
        assert answer.headers.get_list("access-control-allow-origin") == [self.origin]
        assert answer.headers["access-control-allow-credentials"] == "true"
        return self._read(answer)


class CallbackPolling(BayeuxClient):
    kind = "callback-polling"

    async def _exchange(self, messages: list[Message]) -> list[Message]:
        query = {"message": json.dumps(messages), "jsonp": "__jsonp1__"}
        answer = await self.site.get("/bayeux", params=query)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/javascript")
        head, text, tail = "/**/__jsonp1__(", answer.text, ");\n"
        assert text.startswith(head)
        assert text.endswith(tail)
        replies: list[Message] = json.loads(text[len(head) : -len(tail)])
        return replies


class WebSocketBayeux(BayeuxClient):
    kind = "websocket"

    async def __aenter__(self) -> "BayeuxClient":
        self._stack = AsyncExitStack()
        url = f"ws://127.0.0.1:{self.site.port}{self.site.path}/bayeux"
        self.socket: ClientConnection = await self._stack.enter_async_context(connect(url, open_timeout=PATIENCE_S))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def _exchange(self, messages: list[Message]) -> list[Message]:
        await self.socket.send(json.dumps(messages))
        wanted = {message["id"] for message in messages}
        received: list[Message] = []
        async with asyncio.timeout(PATIENCE_S):
            while wanted - {message.get("id") for message in received if "successful" in message}:
                received += json.loads(await self.socket.recv())
        return received


CLIENTS: dict[str, type[BayeuxClient]] = {
    kind.kind: kind for kind in (LongPolling, CrossOriginLongPolling, CallbackPolling, WebSocketBayeux)
}
