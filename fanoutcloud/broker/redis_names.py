"""Names of keys and pub/sub channels in Redis.

Everything of one channel carries the same hash tag, `{realm/channel}`, so that one script may touch all of it
and a Cluster can place it. Names are escaped: whatever a channel's name holds, it names no key of another.
"""

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
    if "}" in channel or "%" in channel:
        channel = ChannelName(channel.replace("%", "%25").replace("}", "%7D"))
    return f"{PREFIX}{{{_escape_realm(realm)}/{channel}}}"


def realm_pattern(realm: RealmId) -> str:
    """Return the glob pattern of all keys of the realm; what is escaped has no meaning in a pattern."""
    return f"{PREFIX}{{{_escape_realm(realm)}/*"


@lru_cache(maxsize=10_000)
def _escape_realm(realm: RealmId) -> str:
    return quote(realm, safe="")


def announcement_channel(topic: str) -> str:
    """Return the pub/sub channel of an announcement topic."""
    return f"{PREFIX}announce:{topic}"
