"""The claims of a subscriber token: who it is for, until when, and what it opens (docs/topics/access.md). Pure."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from fanoutcloud.core.access import CAPABILITIES, Capability, Permission
from fanoutcloud.core.errors import InvalidRequest, Unauthorized
from fanoutcloud.core.patterns import parse_pattern

MAX_USER_CHARACTERS = 256
MAX_TOKEN_ID_CHARACTERS = 256
#: Shown to everybody in a presence list, so it must not be an essay.
MAX_INFO_BYTES = 2048
MAX_PERMISSIONS = 100

_EXAMPLE = '{"orders.*":["subscribe"]}'


class TokenRefused(Unauthorized):
    """A token that opens nothing; `field` is the claim or part at fault, such as `token.exp`."""

    def __init__(self, code: str, message: str, *, cure: str, claim: str = "") -> None:
        super().__init__(code, message, cure=cure)
        self.field = f"token.{claim}" if claim else "token"


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims whose shape is right. Times in seconds since 1970; `info` is JSON text."""

    user: str
    expires_at: float
    issuer: str | None = None
    token_id: str = ""
    not_before: float | None = None
    issued_at: float | None = None
    info: bytes | None = None
    permissions: tuple[Permission, ...] = ()


_object_decoder = msgspec.json.Decoder(dict[str, Raw])
_text_decoder = msgspec.json.Decoder(str)
_number_decoder = msgspec.json.Decoder(float)
_list_decoder = msgspec.json.Decoder(list[Raw])


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    capabilities: tuple[str, ...] = ("subscribe",)


_entry_decoder = msgspec.json.Decoder(_Entry)
_capabilities_decoder = msgspec.json.Decoder(list[str])


def parse_claims(payload: bytes) -> Claims:
    """Return the claims. Those that are not ours are passed over, as RFC 7519 §4 asks.

    Raises:
        TokenRefused: one that is needed is missing, or one of ours has another shape or is too large.
    """
    try:
        raw = _object_decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise _bad("the claims are no JSON object", "make the token with a JWT library", "claims") from None
    expires_at = _read_time(raw, "exp")
    if expires_at is None:
        raise _bad("is missing", "set exp, in seconds since 1970, say an hour ahead", "exp")
    return Claims(
        user=_read_text(raw, "sub", MAX_USER_CHARACTERS) or "",
        expires_at=expires_at,
        issuer=_read_text(raw, "iss", MAX_USER_CHARACTERS * 8),
        token_id=_read_text(raw, "jti", MAX_TOKEN_ID_CHARACTERS) or "",
        not_before=_read_time(raw, "nbf"),
        issued_at=_read_time(raw, "iat"),
        info=_read_info(raw.get("info")),
        permissions=_read_permissions(raw.get("channels")),
    )


def _read_text(raw: dict[str, Raw], name: str, limit: int) -> str | None:
    """Return a claim that is text, or None without it."""
    text = _decode(_text_decoder, raw.get(name), name, "write it as text, in quotes")
    if text is None:
        return None
    if not is_text(text, limit):
        raise _bad("can't be used", f"use 1 to {limit:,} printable characters", name)
    return str(text)


def _read_time(raw: dict[str, Raw], name: str) -> float | None:
    """Return a claim that is a time, or None without it."""
    moment = _decode(_number_decoder, raw.get(name), name, "use a number: seconds since 1970")
    if moment is not None and not (math.isfinite(moment) and abs(moment) < 1e12):
        raise _bad("is out of range", "use seconds since 1970, not milliseconds", name)
    return None if moment is None else float(moment)


def _decode(decoder: "msgspec.json.Decoder[Any]", raw: Raw | None, name: str, cure: str) -> Any:  # Any: by the decoder
    if raw is None or bytes(raw) == b"null":
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise _bad("has another type", cure, name) from None


def _read_info(raw: Raw | None) -> bytes | None:
    """Return the connection info as JSON text on one line, or None without it."""
    if raw is None or bytes(raw) == b"null":
        return None
    try:
        info = msgspec.json.format(bytes(raw), indent=-1)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise _bad("is no JSON", 'use an object such as {"name":"Alice"}', "info") from None
    if len(info) > MAX_INFO_BYTES:
        raise _bad(f"has {len(info):,} bytes of JSON; {MAX_INFO_BYTES:,} are allowed", "put less into it", "info")
    return info


def _read_permissions(raw: Raw | None) -> tuple[Permission, ...]:
    """Return what is allowed, from an object of patterns or a list of objects with `name` and `capabilities`."""
    if raw is None or bytes(raw) == b"null":
        return ()
    text = bytes(raw).lstrip()
    shape = f"use such as {_EXAMPLE}"
    if text.startswith(b"["):
        entries = [
            _read_entry(one, f"channels[{at}]") for at, one in enumerate(_decode(_list_decoder, raw, "channels", shape))
        ]
    else:
        members: dict[str, Raw] = _decode(_object_decoder, raw, "channels", shape)
        entries = [
            (name, _decode(_capabilities_decoder, value, place, shape) or [], place)
            for name, value in members.items()
            for place in [f"channels[{quote_short(name)}]"]
        ]
    if len(entries) > MAX_PERMISSIONS:
        raise _bad(
            f"has {len(entries):,} entries; {MAX_PERMISSIONS} are allowed", "use patterns such as orders.*", "channels"
        )
    return tuple(_to_permission(name, capabilities, place) for name, capabilities, place in entries)


def _read_entry(raw: Raw, place: str) -> tuple[str, list[str], str]:
    cure = 'use such as {"name":"orders.*","capabilities":["subscribe"]}'
    entry: _Entry | None = _decode(_entry_decoder, raw, place, cure)
    if entry is None:
        raise _bad("has another type", cure, place)
    return entry.name, list(entry.capabilities), place


def _to_permission(name: str, capabilities: list[str], place: str) -> Permission:
    try:
        pattern = parse_pattern(name)
    except InvalidRequest as error:
        raise _bad(error.message, error.cure, place) from None
    return Permission(pattern, _to_capabilities(capabilities, place))


def _to_capabilities(names: list[str], place: str) -> frozenset[Capability]:
    if names == ["*"]:
        return frozenset(CAPABILITIES)
    known = {name: name for name in CAPABILITIES}
    for name in names:
        if name not in known:
            raise _bad(f"there is no capability {quote_short(name)}", f"use {', '.join(CAPABILITIES)} or *", place)
    return frozenset(known[name] for name in names if name in known)


def is_text(text: str, limit: int) -> bool:
    """Tell whether `text` is 1 to `limit` printable characters."""
    return 0 < len(text) <= limit and text.isprintable()


def quote_short(text: str) -> str:
    """Return `text` for an error message: what can't be printed escaped, and not too much of it."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def span(seconds: float) -> str:
    """Return a duration for people: 40 s, 12 minutes, 3 hours, 5 days."""
    for limit, unit_s, unit in ((120, 1, "s"), (7200, 60, "minutes"), (172_800, 3600, "hours")):
        if seconds < limit:
            return f"{max(0, int(seconds // unit_s))} {unit}"
    return f"{int(seconds // 86_400):,} days"


def _bad(message: str, cure: str, claim: str) -> TokenRefused:
    return TokenRefused("bad_token", message, cure=cure, claim=claim)
