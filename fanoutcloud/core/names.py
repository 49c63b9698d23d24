"""Names of realms, channels and hosts, and what a valid one is."""

import re
from typing import NewType

from fanoutcloud.core.errors import InvalidRequest

RealmId = NewType("RealmId", str)
ChannelName = NewType("ChannelName", str)
#: A DNS name of two labels or more, in lower case, without port and final dot. Never an address.
HostName = NewType("HostName", str)

#: Eight hexadecimal digits for new realms; realms of the old service had chosen names, so those are read too.
_REALM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.(?!\d+\Z){_LABEL}\Z")  # a last label of digits is an address
MAX_HOST_NAME_CHARACTERS = 253

#: Room for a URL path or a UUID chain; names are sent with every item, so they must not be essays.
MAX_CHANNEL_NAME_BYTES = 512
_SURELY_SHORT = MAX_CHANNEL_NAME_BYTES // 4  # characters; UTF-8 takes at most four bytes for one


def find_realm_id(text: str) -> RealmId | None:
    """Return `text` as a realm id, or None when no realm can have that name."""
    return RealmId(text) if _REALM_ID.match(text) else None


def find_host_name(text: str) -> HostName | None:
    """Return the name in a `Host` header's value, or None when it is an address, one label, or no name at all."""
    name = text.partition(":")[0].lower().removesuffix(".")
    return HostName(name) if len(name) <= MAX_HOST_NAME_CHARACTERS and _HOST_NAME.match(name) else None


def _is_longer(text: str, size_bytes: int) -> bool:
    return len(text) > size_bytes or len(text.encode(errors="replace")) > size_bytes


def parse_channel_name(text: str, *, field: str = "channel") -> ChannelName:
    """Return `text` as a channel name.

    Raises:
        InvalidRequest: it is empty, longer than `MAX_CHANNEL_NAME_BYTES` in UTF-8, or holds a control character.
    """
    if not text:
        raise InvalidRequest("the channel name is empty", cure="name a channel, such as 'hello'", field=field)
    if len(text) > _SURELY_SHORT and _is_longer(text, MAX_CHANNEL_NAME_BYTES):
        raise InvalidRequest(
            f"the channel name is longer than {MAX_CHANNEL_NAME_BYTES} bytes",
            cure="use a shorter name",
            field=field,
        )
    if not text.isprintable() and _CONTROL_CHARACTER.search(text):
        raise InvalidRequest("the channel name holds a control character", cure="use printable characters", field=field)
    return ChannelName(text)
