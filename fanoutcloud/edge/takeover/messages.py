"""What two edges say to each other when one follows the other (docs/topics/deploys.md). MessagePack; pure.

    new                    old
    Hello            →
                     ←     Listening (with the listening sockets)
    Accepting        →                        the old one accepts no more
                     ←     Channels …         so that the new one subscribes before anybody waits for it
    Subscribed       →
                     ←     Batch (with the connections' sockets)
    Have             →                        the new one can take them
                     ←     Yours              from here on they are the new one's, and the old one closes its copies
                     ←     Done
    Bye              →

Whoever gives up a batch says Cancel before it closes the connection. A connection that ends without has lost its
process: the other one keeps what it has got.
"""

from typing import TypeAlias

import msgspec

#: Of all that follows on `Hello` and `Listening`, which never change. Another version: sockets to listen on, and drain.
VERSION = 2


class Hello(msgspec.Struct, tag=True, frozen=True):
    version: int


class Listening(msgspec.Struct, tag=True, frozen=True):
    version: int


class Accepting(msgspec.Struct, tag=True, frozen=True):
    pass


class Channels(msgspec.Struct, tag=True, frozen=True):
    """Realms and channels that connections are subscribed to."""

    names: list[tuple[str, str]]


class Subscribed(msgspec.Struct, tag=True, frozen=True):
    pass


class Connection(msgspec.Struct, array_like=True, frozen=True):
    """One connection; its descriptor has the same place in the batch. `channels`: name, epoch and offset of each."""

    kind: str
    realm: str = ""
    name: str = ""
    address: str = ""
    channels: list[tuple[str, str, int]] = []
    early: bytes = b""  # what the client has sent ahead
    seconds_left: float = 0.0  # of a poll
    keeps_alive: bool = False  # whether a poll's connection goes back to HTTP
    connected_at: float = 0.0
    wishes: list[tuple[str, dict[str, str]]] = []  # channel, and what is wanted of it
    watched: list[str] = []  # channels of which it is told who comes and goes
    grant: bytes = b""  # what its token gives (`pack_grant`)


class Batch(msgspec.Struct, tag=True, frozen=True):
    number: int
    connections: list[Connection]


class Have(msgspec.Struct, tag=True, frozen=True):
    """`refused`: places of connections that the new process can't take."""

    number: int
    refused: list[int]


class Yours(msgspec.Struct, tag=True, frozen=True):
    number: int


class Cancel(msgspec.Struct, tag=True, frozen=True):
    pass


class Done(msgspec.Struct, tag=True, frozen=True):
    """`left`: connections that can't move, and are drained now."""

    moved: int
    left: int


class Bye(msgspec.Struct, tag=True, frozen=True):
    pass


Message: TypeAlias = (
    Hello | Listening | Accepting | Channels | Subscribed | Batch | Have | Yours | Cancel | Done | Bye
)  # fmt: skip


class Misunderstood(Exception):
    """The other process said something that this one does not know, or not now."""


_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
encode = msgspec.msgpack.Encoder().encode


def decode(message: bytes) -> Message:
    """Return the message.

    Raises:
        Misunderstood: it is none.
    """
    try:
        return _decoder.decode(message)
    except msgspec.MsgspecError as error:
        raise Misunderstood(str(error)) from error
