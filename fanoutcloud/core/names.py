"""Names of realms and channels, and what a valid one is."""

import re
from typing import NewType

from fanoutcloud.core.errors import InvalidRequest

RealmId = NewType("RealmId", str)
ChannelName = NewType("ChannelName", str)

#: Eight hexadecimal digits for new realms; realms of the old service had chosen names, so those are read too.
_REALM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: Room for a URL path or a UUID chain; names are sent with every item, so they must not be essays.
MAX_CHANNEL_NAME_BYTES = 512


def find_realm_id(text: str) -> RealmId | None:
    """Return `text` as a realm id, or None when no realm can have that name."""
    return RealmId(text) if _REALM_ID.match(text) else None


def parse_channel_name(text: str, *, field: str = "channel") -> ChannelName:
    """Return `text` as a channel name.

    Raises:
        InvalidRequest: it is empty, longer than `MAX_CHANNEL_NAME_BYTES` in UTF-8, or holds a control character.
    """
    if not text:
        raise InvalidRequest("the channel name is empty", cure="name a channel, such as 'hello'", field=field)
    if len(text) > MAX_CHANNEL_NAME_BYTES or len(text.encode(errors="replace")) > MAX_CHANNEL_NAME_BYTES:
        raise InvalidRequest(
            f"the channel name is longer than {MAX_CHANNEL_NAME_BYTES} bytes",
            cure="use a shorter name",
            field=field,
        )
    if not text.isprintable() and _CONTROL_CHARACTER.search(text):
        raise InvalidRequest("the channel name holds a control character", cure="use printable characters", field=field)
    return ChannelName(text)
