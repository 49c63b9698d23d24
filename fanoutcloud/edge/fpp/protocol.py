"""What an FPP request says, and what it is answered with. Pure.

A session has no state here: its `sid` carries the subscriber's token and is signed with a key of the realm, so that any
server knows it, also after a restart.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, parse_channel_name
from fanoutcloud.core.streams import StreamPosition, parse_position

MAX_CHANNELS = 200
_CURSOR = "cursor:"
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class FppChannel:
    """One `ci`. `since` is a position as the client got it; None where it did not say."""

    name: ChannelName
    since: str | None = None

    def find_position(self) -> StreamPosition | None:
        """Return the position, or None if it is none that this server gives."""
        try:
            return parse_position((self.since or "").removeprefix(_CURSOR))
        except InvalidRequest:
            return None


@dataclass(frozen=True, slots=True)
class FppRequest:
    """Channels each once, in order, and the other members."""

    channels: tuple[FppChannel, ...]
    sid: str
    auth_token: str | None
    timeout_s: float | None


def parse_request(form: str) -> FppRequest:
    """Return what a form or query says; `ci` holds a form of its own for each channel.

    Raises:
        InvalidRequest: it is no form, names no channel or too many, or one that can't be a channel's name.
    """
    members = parse_form(form)
    channels: dict[ChannelName, FppChannel] = {}
    for value in [value for name, value in members if name == "ci"]:
        inner = dict(parse_form(value))
        channel = FppChannel(parse_channel_name(inner.get("name", ""), field="ci"), inner.get("since"))
        channels[channel.name] = channel
    if not channels:
        raise InvalidRequest("no channel is named", cure="send such as ci=name%3Dscores", field="ci")
    if len(channels) > MAX_CHANNELS:
        raise InvalidRequest(f"{len(channels)} channels", cure=f"ask for {MAX_CHANNELS} at most", field="ci")
    others = dict(members)
    timeout = others.get("timeout", "")
    return FppRequest(
        tuple(channels.values()),
        others.get("sid", ""),
        others.get("auth_token") or None,
        float(timeout) if timeout.isascii() and timeout.isdigit() and len(timeout) < 5 else None,
    )


def parse_form(text: str) -> list[tuple[str, str]]:
    """Return the members of a form, or raise `InvalidRequest`."""
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=2 * MAX_CHANNELS + 50)
    except ValueError:
        raise InvalidRequest("is no form", cure="send ci=name%3DCHANNEL, form-encoded", field="body") from None


# -- sessions


def make_sid(realm: RealmSnapshot, token: str | None) -> str:
    """Return a new session's name, which carries `token`."""
    nonce = secrets.token_hex(8)
    signature = _sign(realm.keys[0].secret if realm.keys else b"", nonce, token)
    return f"{nonce}.{signature}" if token is None else f"{nonce}.{signature}.{token}"


def read_sid(realm: RealmSnapshot, sid: str) -> tuple[bool, str | None]:
    """Return whether this realm made the `sid`, by a key that it still has, and the token in it."""
    nonce, _, rest = sid.partition(".")
    signature, has_token, token = rest.partition(".")
    given = token if has_token else None
    secrets_ = [key.secret for key in realm.keys] or [b""]
    is_ours = [hmac.compare_digest(signature.encode(), _sign(secret, nonce, given).encode()) for secret in secrets_]
    return any(is_ours), given


def _sign(secret: bytes, nonce: str, token: str | None) -> str:
    text = f"fpp session {nonce} {'' if token is None else '.' + token}"
    digest = hmac.digest(secret, text.encode(errors="replace"), hashlib.sha256)[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


# -- answers


def write_subscribed(sid: str, channels: dict[ChannelName, StreamPosition | int]) -> bytes:
    """Return the answer to a subscribe: for each channel where it begins, or the code of its refusal."""
    members = {
        name: {"error_code": value} if isinstance(value, int) else {"last_cursor": str(value)}
        for name, value in channels.items()
    }
    return _encode({"sid": sid, "channels": members})


def write_feed(channels: dict[ChannelName, tuple[StreamPosition, list[bytes]]]) -> bytes:
    """Return the answer to a feed, around the publishers' own JSON; without channels when time was up."""
    parts = [
        b'%b:{"last_cursor":"%b","items":[%b]}' % (_encode(name), str(position).encode(), b",".join(items))
        for name, (position, items) in channels.items()
    ]
    return b'{"channels":{%b}}' % b",".join(parts)


def write_refused(channels: list[FppChannel]) -> bytes:
    """Return the answer to a feed that names channels which the client may not have any more."""
    members = {
        channel.name: {"error_code": 403, "last_cursor": (channel.since or "").removeprefix(_CURSOR), "items": []}
        for channel in channels
    }
    return _encode({"channels": members})
