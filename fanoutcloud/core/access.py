"""Who a subscriber is and what it may do: the outcome of checking its token, or of coming without one."""

import functools
from dataclasses import dataclass
from typing import Literal

import msgspec

from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import ChannelPattern

Capability = Literal["subscribe", "publish", "presence", "history"]
CAPABILITIES: tuple[Capability, ...] = ("subscribe", "publish", "presence", "history")


@dataclass(frozen=True, slots=True)
class Permission:
    """What a token allows on the channels of one pattern."""

    pattern: ChannelPattern
    capabilities: frozenset[Capability]


@dataclass(frozen=True, slots=True)
class Grant:
    """A checked token. Shared by all connections that came with the same one; replaced when it is refreshed.

    `info` is JSON text that presence shows of the connection; `expires_at` is in seconds since 1970. `jid` is set where
    no token gives the grant, but the realm's list of XMPP addresses that may administer it, or, with `is_receiver`, of
    those that get its stanzas.
    """

    user: str = ""
    info: bytes | None = None
    token_id: str = ""
    key_id: str = ""
    expires_at: float | None = None
    permissions: tuple[Permission, ...] = ()
    issued_at: float | None = None
    jid: str = ""
    is_receiver: bool = False

    def allows(self, capability: Capability, channel: ChannelName) -> bool:
        """Return whether the token itself allows it; what is public needs no token (see the realm's rules)."""
        for permission in self.permissions:  # a loop: `any` costs twice as much, and each connection asks
            if capability in permission.capabilities and permission.pattern.matches(channel):
                return True
        return False

    def allows_all(self, capability: Capability, pattern: ChannelPattern) -> bool:
        """Return whether one permission of the token allows it on all channels of a pattern."""
        return any(
            capability in permission.capabilities and permission.pattern.covers(pattern)
            for permission in self.permissions
        )


#: Whoever comes without a token.
ANONYMOUS = Grant()

_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(Grant)


def pack_grant(grant: Grant) -> bytes:
    """Return a grant as bytes for another process; none for `ANONYMOUS`."""
    return b"" if grant is ANONYMOUS else _packer.encode(grant)


@functools.lru_cache(maxsize=10_000)
def unpack_grant(packed: bytes) -> Grant:
    """Return the grant that was packed; connections that shared one share it again."""
    return _unpacker.decode(packed) if packed else ANONYMOUS
