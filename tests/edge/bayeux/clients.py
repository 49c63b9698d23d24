"""A Bayeux client without any transport."""

import json
from typing import Any

from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.edge.bayeux.conversation import Answer, Conversation
from fanoutcloud.edge.bayeux.messages import read_messages, write_batch
from fanoutcloud.edge.bayeux.moves import Moves
from fanoutcloud.edge.bayeux.sessions import Sessions
from fanoutcloud.edge.hub.hub import Hub
from tests.edge.worlds import HELLO, REALM

SNAPSHOT = RealmSnapshot(REALM, (), Retention())


class Client:
    """Says messages to a conversation, without any transport."""

    def __init__(self, hub: Hub, sessions: Sessions, moves: Moves | None = None) -> None:
        self.come_to(hub, sessions, moves or Moves(hub, sessions, None))
        self.client_id = ""

    def come_to(self, hub: Hub, sessions: Sessions, moves: Moves, snapshot: RealmSnapshot = SNAPSHOT) -> None:
        """Say what follows there."""
        self._conversation = Conversation(hub, sessions, moves, snapshot, address="192.0.2.1")

    async def ask(self, **members: object) -> Answer:
        members.setdefault("clientId", self.client_id)
        return await self._conversation.answer(read_messages(json.dumps(members).encode()))

    async def say(self, **members: object) -> list[dict[str, Any]]:
        replies: list[dict[str, Any]] = json.loads(write_batch((await self.ask(**members)).messages()))
        return replies

    async def begin(self) -> None:
        handshake = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}
        [reply] = await self.say(**handshake)
        self.client_id = reply["clientId"]
        [reply] = await self.say(channel="/meta/subscribe", subscription=f"/{HELLO}")
        assert reply["successful"], reply

    async def connect(self, id_: str | None = None) -> list[dict[str, Any]]:
        members: dict[str, object] = {} if id_ is None else {"id": id_}
        return await self.say(channel="/meta/connect", connectionType="long-polling", **members)


def numbers(replies: list[dict[str, Any]]) -> list[int]:
    return [reply["data"] for reply in replies if "data" in reply]
