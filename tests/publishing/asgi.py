"""Requests to the publish endpoint without a server: the same ASGI calls that one would make."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.directory import Rate, RealmDirectory
from fanoutcloud.core.names import RealmId
from publishing.authentication import Authenticator
from publishing.endpoint import PublishEndpoint, find_target
from publishing.rate_limits import PublishLimiter
from publishing.services import Publisher
from tests.fakes.activity import RecordingActivity
from tests.fakes.broker import read_all
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory
from tests.publishing.credentials import ALICE, ALICE_KEY, CHARLIE, CHARLIE_KEY, basic, realm_of

MAX_BODY_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def error(self) -> dict[str, Any]:
        """The error of a JSON answer."""
        told: dict[str, Any] = json.loads(self.body)["error"]
        return told


class Endpoint:
    """A publish endpoint for the realms of Alice and Charlie, and all that it is made of."""

    def __init__(
        self,
        *,
        broker: MemoryBroker | None = None,
        directory: RealmDirectory | None = None,
        rate: Rate | None = None,
        watched: Sequence[RealmId] = (),
        body_timeout_s: float = 30.0,
    ) -> None:
        clock = SteppedClock()
        self.clock = clock
        self.broker = broker or MemoryBroker(clock)
        self.activity = RecordingActivity(*watched)
        self.directory = directory or FakeDirectory(
            realm_of(ALICE, ALICE_KEY, rate=rate), realm_of(CHARLIE, CHARLIE_KEY)
        )
        self.publisher = Publisher(
            broker=self.broker, activity=self.activity, limiter=PublishLimiter(clock), clock=clock
        )
        self.endpoint = PublishEndpoint(
            authenticator=Authenticator(self.directory, clock),
            publisher=self.publisher,
            activity=self.activity,
            clock=clock,
            max_body_bytes=MAX_BODY_BYTES,
            body_timeout_s=body_timeout_s,
        )

    async def call(
        self,
        *parts: bytes,
        path: str = f"/realm/{ALICE}/publish/",
        method: str = "POST",
        authorization: bytes | None = basic(ALICE, ALICE_KEY),
        headers: dict[str, str] | None = None,
        ends: str = "whole",
    ) -> Answer:
        """Return the answer to one request, whose body comes in `parts`.

        `ends`: how the body does: `whole`, `left` (the client goes away) or `silent` (nothing more ever comes).
        """
        sent: list[dict[str, Any]] = []
        coming = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        if ends == "whole":
            coming.append({"type": "http.request", "body": b"", "more_body": False})
        elif ends == "left":
            coming.append({"type": "http.disconnect"})

        async def receive() -> dict[str, Any]:
            return coming.pop(0) if coming else await asyncio.Event().wait()  # type: ignore[return-value]  # never comes

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        raw += [] if authorization is None else [(b"authorization", authorization)]
        scope = {"type": "http", "method": method, "headers": raw, "client": ("192.0.2.7", 5000)}
        target = find_target(path.encode())
        assert target is not None
        await self.endpoint.serve(target, scope, receive, send)
        return _to_answer(sent)

    async def publish(self, *items: Any, **how: Any) -> Answer:
        """Return the answer to a request with these items."""
        return await self.call(json.dumps({"items": items}).encode(), **how)

    async def stored(self, channel: str = "hello", *, realm: RealmId = ALICE) -> list[bytes | None]:
        """Return the JSON objects that are kept of a channel."""
        return [item.json_object for item in await read_all(self.broker, realm, channel)]


def _to_answer(sent: list[dict[str, Any]]) -> Answer:
    start, *bodies = sent
    assert start["type"] == "http.response.start"
    assert all(name == name.lower() for name, _ in start["headers"])
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert len(headers) == len(start["headers"])
    body = b"".join(message["body"] for message in bodies)
    assert int(headers["content-length"]) == len(body)
    return Answer(start["status"], headers, body)
