"""Names of keys and pub/sub channels in Redis.

Everything of one channel carries the same hash tag, `{realm/channel}`, so that one script may touch all of it
and a Cluster can place it. Names are escaped: whatever a channel's name holds, it names no key of another.
"""

import re
from functools import lru_cache
from urllib.parse import quote

from fanoutcloud.core.names import ChannelName, RealmId

PREFIX = "fo:"
#: Where one server keeps the lineage of its data; see `redis_identity`.
LINEAGE_KEY = f"{PREFIX}lineage"


def stream_key(realm: RealmId, channel: ChannelName) -> str:
    """Return the name that all keys of the channel begin with, and that its live items are published under.

    The realm holds no `/` and the channel no `}` once escaped, so the tag is whole and read in one way only.
    """
    return f"{PREFIX}{{{_escape_realm(realm)}/{_escape_channel(channel)}}}"


def stream_pattern(realm: RealmId, prefix: str) -> str:
    """Return the glob pattern of what `stream_key` returns for channels of the realm that begin with `prefix`."""
    plain = re.sub(r"[*?\[\]\\^-]", r"\\\g<0>", _escape_channel(prefix))
    return f"{PREFIX}{{{_escape_realm(realm)}/{plain}*}}"


def channel_of(key: str) -> ChannelName:
    """Return the channel of a key that begins with what `stream_key` returns."""
    escaped = key.partition("/")[2].partition("}")[0]
    return ChannelName(escaped.replace("%7D", "}").replace("%25", "%"))


def realm_pattern(realm: RealmId) -> str:
    """Return the glob pattern of all keys of the realm; what is escaped has no meaning in a pattern."""
    return f"{PREFIX}{{{_escape_realm(realm)}/*"


def realm_key(realm: RealmId, rest: str) -> str:
    """Return a key of the realm as a whole, which goes with it: no channel's name is empty."""
    return f"{PREFIX}{{{_escape_realm(realm)}/}}{rest}"


def _escape_channel(channel: str) -> str:
    """Return the name, or the beginning of one, without what would end a hash tag."""
    if "}" in channel or "%" in channel:
        return channel.replace("%", "%25").replace("}", "%7D")
    return channel


@lru_cache(maxsize=10_000)
def _escape_realm(realm: RealmId) -> str:
    return quote(realm, safe="")


def announcement_channel(topic: str) -> str:
    """Return the pub/sub channel of an announcement topic."""
    return f"{PREFIX}announce:{topic}"
