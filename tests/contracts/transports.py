"""The four transports under one roof: readers that turn each into the same messages, with real client libraries."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.servers.daphne import DaphneProduct
from tests.servers.product import Product, ProductRealm

#: No test waits longer than this for something that should happen.
PATIENCE_S = 15.0

Message = dict[str, Any]

#: Said around items; `Reader.next` puts them aside.
_ASIDE = ("welcome", "subscribed", "keep-alive")


class SiteUnderTest:
    """One realm's site on a running server, and the means to publish to it."""

    def __init__(self, product: Product, realm: ProductRealm, http: httpx.AsyncClient) -> None:
        self._product = product
        self.port = product.port
        self.is_prepared = not isinstance(product, DaphneProduct)
        self.realm = realm
        self.http = http
        self.url = f"http://127.0.0.1:{product.port}"

    def of(self, realm: str) -> "SiteUnderTest":
        """Return the site of another realm on the same server; it can't be published to."""
        return SiteUnderTest(self._product, replace(self.realm, realm=realm), self.http)

    @property
    def path(self) -> str:
        """The site in the path form, without host."""
        return f"/r/{self.realm.realm}"

    async def publish(self, channel: str, *values: object) -> None:
        """Publish each value as the `json-object` of one item, all in one request."""
        await self.publish_items(*({"channel": channel, "json-object": value} for value in values))

    async def publish_items(self, *items: Message) -> None:
        """Publish items as they are."""
        answer = await self.http.post(
            f"{self.url}/realm/{self.realm.realm}/publish/", json={"items": items}, auth=self.realm.auth
        )
        assert answer.status_code == 200, answer.text

    async def get(self, path: str, *, method: str = "GET", **options: Any) -> httpx.Response:
        """Return the whole answer to a request to the site."""
        return await self.http.request(method, f"{self.url}{self.path}{path}", **options)


class Reader:
    """One subscriber. `next` gives items, `position`, `reset`, `closing`, `error`, and at last `end`."""

    path: ClassVar[str]

    def __init__(
        self, site: SiteUnderTest, *channels: str, since: str | None = None, query: str = "", by_host: bool = False
    ) -> None:
        members = [f"channel={quote(channel, safe='')}" for channel in channels]
        if since is not None:
            members.append(f"since={quote(since)}")
        self.query = "&".join([*members, query] if query else members)
        self.site = site
        self.channels = channels
        self.positions: dict[str, str] = dict(zip(channels, since.split(","), strict=False)) if since else {}
        self.aside: list[Message] = []
        self._waiting: deque[Message] = deque()
        self._stack = AsyncExitStack()
        self._host = f"{site.realm.realm}.localhost:{site.port}" if by_host else f"127.0.0.1:{site.port}"
        self._path = f"{'' if by_host else site.path}{self.path}"

    @property
    def cursor(self) -> str:
        """What to come back with: the newest position of each channel, in the order of the request."""
        return ",".join(self.positions[channel] for channel in self.channels)

    def told(self, kind: str) -> list[Message]:
        """Return what was put aside of one type."""
        return [message for message in self.aside if message["type"] == kind]

    async def __aenter__(self) -> "Reader":
        async with asyncio.timeout(PATIENCE_S):
            await self._open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def ready(self) -> "Reader":
        """Return once all channels are subscribed; what comes meanwhile is kept for `next`."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told("subscribed")) < len(self.channels):
                await self._take_one()
        return self

    async def until(self, kind: str) -> Message:
        """Return the next message of a type that is put aside, such as `keep-alive`."""
        seen = len(self.told(kind))
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told(kind)) == seen:
                await self._take_one()
        return self.told(kind)[-1]

    async def next(self) -> Message:
        """Return the next message that is not put aside."""
        async with asyncio.timeout(PATIENCE_S):
            while not self._waiting:
                await self._take_one()
        message = self._waiting.popleft()
        if message["type"] in ("item", "position", "reset"):
            self.positions[message["channel"]] = message["position"]
        return message

    async def items(self, count: int) -> list[Message]:
        """Return the next `count` messages, which must be items.

        Where a filter leaves items out, keep-alives tell the position in between, if it takes long enough.
        """
        messages: list[Message] = []
        while len(messages) < count:
            message = await self.next()
            if message["type"] == "position" and "filter=" in self.query:
                continue
            assert message["type"] == "item", (len(messages), message)
            messages.append(message)
        return messages

    async def data(self, count: int) -> list[Any]:
        """Return the JSON of the next `count` items."""
        return [message["data"] for message in await self.items(count)]

    async def _take_one(self) -> None:
        for message in await self._receive():
            if message["type"] in _ASIDE:
                self.aside.append(message)
                if message["type"] == "subscribed":
                    self.positions.setdefault(message["channel"], message["position"])
            else:
                self._waiting.append(message)

    async def _open(self) -> None:
        raise NotImplementedError

    async def _receive(self) -> list[Message]:
        """Wait for the next messages."""
        raise NotImplementedError


class WebSocketReader(Reader):
    path = "/fanout/ws"
    socket: ClientConnection

    async def _open(self) -> None:
        self.socket = await self._stack.enter_async_context(
            connect(
                f"ws://{self._host}{self._path}?{self.query}", host="127.0.0.1", port=self.site.port, close_timeout=1
            )
        )

    async def send(self, **command: Any) -> None:
        """Send one command."""
        await self.socket.send(json.dumps(command))

    async def _receive(self) -> list[Message]:
        try:
            return [json.loads(await self.socket.recv())]
        except ConnectionClosed as closed:
            frame = closed.rcvd
            return [{"type": "end", "code": frame and frame.code, "reason": frame and frame.reason}]


class StreamReader(Reader):
    """What SSE and HTTP streaming share: lines of an endless response."""

    path = "/fanout/stream"
    response: httpx.Response
    headers: ClassVar[dict[str, str]] = {}

    async def _open(self) -> None:
        stream = self.site.http.stream("GET", f"{self.site.url}{self._path}?{self.query}", headers=self._headers())
        self.response = await self._stack.enter_async_context(stream)
        assert self.response.status_code == 200, (await self.response.aread()).decode()
        self._lines = self._read_lines()

    def _headers(self) -> dict[str, str]:
        return {"host": self._host}

    async def _read_lines(self) -> AsyncIterator[str]:
        """Lines end with a line feed and nothing else: JSON may hold U+2028."""
        rest = b""
        async for chunk in self.response.aiter_raw():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode()

    async def next_line(self) -> str:
        """Return the next line as it is."""
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._lines)

    async def _receive(self) -> list[Message]:
        try:
            return [json.loads(await anext(self._lines))]
        except StopAsyncIteration:
            return [{"type": "end", "code": None}]


class SseReader(StreamReader):
    path = "/fanout/sse"

    def __init__(self, site: SiteUnderTest, *channels: str, last_event_id: str | None = None, **options: Any) -> None:
        super().__init__(site, *channels, **options)
        self.last_event_id = last_event_id

    def _headers(self) -> dict[str, str]:
        more = {} if self.last_event_id is None else {"last-event-id": self.last_event_id}
        return super()._headers() | {"accept": "text/event-stream"} | more

    async def _receive(self) -> list[Message]:
        fields: dict[str, str] = {}
        try:
            while line := await anext(self._lines):
                name, _, value = line.partition(": ")
                fields[name] = value
        except StopAsyncIteration:
            return [{"type": "end", "code": None}]
        message: Message = json.loads(fields["data"])
        # WHATWG HTML §9.2: an event without a name goes to `onmessage`, which is where items belong.
        assert fields.get("event", "item") == message["type"], fields
        self.last_event_id = fields.get("id", self.last_event_id)
        if "position" in message:
            at = self.channels.index(message["channel"])
            assert fields["id"].split(",")[at] == message["position"], fields
        return [message]


class PollReader(Reader):
    """Polls in a loop; each answer's cursor begins the next."""

    path = "/fanout/poll"

    async def _open(self) -> None:
        self.answers: list[Message] = []
        self._cursor: str | None = None

    async def ready(self) -> "Reader":
        """Have a cursor, so that nothing published from now on is missed."""
        if not self.answers:
            async with asyncio.timeout(PATIENCE_S):
                self._take_messages(await self.poll("&timeout=0"))
        return self

    async def poll(self, more: str = "") -> Message:
        """Make one request, which must succeed; return its answer."""
        answer = await self.request(more)
        assert answer.status_code == 200, answer.text
        body: Message = answer.json()
        self.answers.append(body)
        self._cursor = body["cursor"]
        assert len(body["items"]) <= 100
        return body

    async def request(self, more: str = "") -> httpx.Response:
        """Ask for what comes behind the last answer."""
        query = f"{self._channels_only()}&since={self._cursor}" if self._cursor else self.query
        return await self.site.http.get(f"{self.site.url}{self._path}?{query}{more}", headers={"host": self._host})

    def _channels_only(self) -> str:
        return "&".join(member for member in self.query.split("&") if not member.startswith("since="))

    def _take_messages(self, answer: Message) -> None:
        for channel, position in zip(self.channels, answer["cursor"].split(","), strict=True):
            self.positions.setdefault(channel, position)
        self._waiting.extend([*answer.get("resets", []), *answer["items"]])

    async def _receive(self) -> list[Message]:
        answer = await self.poll("&timeout=5")
        self._take_messages(answer)
        return []


READERS: dict[str, type[Reader]] = {
    "websocket": WebSocketReader,
    "sse": SseReader,
    "http-stream": StreamReader,
    "long-poll": PollReader,
}
