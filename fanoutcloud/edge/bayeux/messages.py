"""Bayeux messages: read leniently from what a client sent, written as the answers that it gets. Pure.

A member of the wrong type counts as missing; members that are not known here are passed over, `ext` too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.streams import StoredItem

#: Faye sends a handful; a batch is answered as a whole.
MAX_MESSAGES_PER_BATCH = 250
_EXAMPLE = '[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]'
#: What the parameters of an error may hold (Faye, grammar of `error`); other characters are shown as `_`.
_UNFIT_FOR_ERRORS = re.compile(r"[^A-Za-z0-9\-_!~()$@ /*.]")

_decoder = msgspec.json.Decoder(list[dict[str, Raw]] | dict[str, Raw])
_text_decoder = msgspec.json.Decoder(str)
_texts_decoder = msgspec.json.Decoder(str | list[str])
_number_decoder = msgspec.json.Decoder(float)
_members_decoder = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Message:
    """One message from a client. Members are the client's JSON until they are asked for."""

    members: Mapping[str, Raw]

    @property
    def channel(self) -> str:
        return self.text("channel") or ""

    @property
    def client_id(self) -> str | None:
        return self.text("clientId")

    @property
    def id(self) -> bytes | None:
        """The message's own name, as its JSON: a text or a number."""
        raw = bytes(self.members.get("id", b""))
        return raw if raw[:1] == b'"' or raw[:1].isdigit() or raw[:1] == b"-" else None

    def text(self, name: str) -> str | None:
        """Return the member as text, None if it is missing or no text."""
        try:
            return _text_decoder.decode(self.members[name])
        except (KeyError, msgspec.MsgspecError):
            return None

    def texts(self, name: str) -> list[str] | None:
        """Return the member as a list of texts; one text is a list, too."""
        try:
            value = _texts_decoder.decode(self.members[name])
        except (KeyError, msgspec.MsgspecError):
            return None
        return [value] if isinstance(value, str) else value

    def advised_timeout_s(self) -> float | None:
        """Return the `advice.timeout` of the client, which is in milliseconds, as seconds."""
        try:
            advice = _members_decoder.decode(self.members["advice"])
            return max(0.0, _number_decoder.decode(advice["timeout"]) / 1000)
        except (KeyError, msgspec.MsgspecError):
            return None

    def extension(self, name: str) -> str | None:
        """Return a text in `ext`, where clients put what Bayeux has no member for."""
        try:
            return _text_decoder.decode(_members_decoder.decode(self.members["ext"])[name])
        except (KeyError, msgspec.MsgspecError):
            return None


def read_messages(body: bytes) -> list[Message]:
    """Return the messages of a batch, or of one message alone.

    Raises:
        InvalidRequest: the body is no JSON object and no list of them, or a list that is too long.
    """
    try:
        body.decode()  # msgspec does not look inside raw values
        decoded = _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise InvalidRequest("the body is no Bayeux messages", cure=f"send such as {_EXAMPLE}") from None
    batch = [decoded] if isinstance(decoded, dict) else decoded
    if len(batch) > MAX_MESSAGES_PER_BATCH:
        raise InvalidRequest(
            f"{len(batch):,} messages in one batch", cure=f"send at most {MAX_MESSAGES_PER_BATCH:,} at once"
        )
    return [Message(members) for members in batch]


def write_reply(message: Message, *, error: str = "", **members: object) -> bytes:
    """Return the answer to `message`: its channel, id and client, whether it was successful, and `members`."""
    reply: dict[str, object] = {"channel": message.channel}
    if message.id is not None:
        reply["id"] = Raw(message.id)
    if message.client_id is not None and "clientId" not in members:
        reply["clientId"] = message.client_id
    reply["successful"] = not error
    if error:
        reply["error"] = error
    return _encode(reply | members)


def write_item(stored: StoredItem) -> bytes | None:
    """Return the message that delivers an item, around the publisher's own JSON; None for an item without JSON."""
    item = stored.item
    if item.json_object is None:
        return None
    id_ = b"" if item.id is None else b',"id":' + _encode(item.id)
    return b'{"channel":%b,"data":%b%b}' % (_encode("/" + item.channel), item.json_object, id_)


def write_batch(messages: list[bytes]) -> bytes:
    """Return the JSON list of messages."""
    return b"[%b]" % b",".join(messages)


def write_error(code: int, text: str, *parameters: str) -> str:
    """Return an error as Bayeux writes it, `403:/name:Forbidden channel`."""
    shown = ",".join(_UNFIT_FOR_ERRORS.sub("_", parameter[:200]) for parameter in parameters)
    return f"{code}:{shown}:{_UNFIT_FOR_ERRORS.sub(' ', text)}"
