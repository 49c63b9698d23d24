"""`Grip-Keep-Alive`: what is sent to a stream on which nothing happens, and when."""

import base64
import binascii
import re
from dataclasses import dataclass

from fanoutcloud.grip.bad_instruction import refused, shown
from fanoutcloud.grip.header_values import parse_value

HEADER = "Grip-Keep-Alive"
DEFAULT_TIMEOUT_S = 55
_EXAMPLE = r"as in \n; format=cstring; timeout=20"
_ESCAPE = re.compile(rb"\\(?:x(?P<hex>[0-9A-Fa-f]{2})|(?P<other>[^x])|(?P<bad>x.{0,2}|$))", re.DOTALL)
_MEANINGS = {b"\\": b"\\", b"r": b"\r", b"n": b"\n"}


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Send `content` after `timeout_s` seconds without content, or every `timeout_s` seconds whatever was sent."""

    content: bytes
    timeout_s: int = DEFAULT_TIMEOUT_S
    is_interval: bool = False


def parse_keep_alive(text: str) -> KeepAlive:
    """Return the keep-alive that the header asks for.

    Raises:
        BadInstruction: it asks for nothing, or for something unknown.
    """
    value = parse_value(HEADER, text)
    if not value.first:
        raise refused(HEADER, "has no content to send", cure=f"begin with what is to be sent, {_EXAMPLE}")
    mode = value.get("mode") or "idle"
    if mode not in ("idle", "interval"):
        raise refused(HEADER, f"mode is {shown(mode)}", cure="use mode=idle or mode=interval")
    return KeepAlive(
        content=_decode_content(value.first, value.get("format") or "raw"),
        timeout_s=_read_timeout(value.get("timeout")),
        is_interval=mode == "interval",
    )


def _read_timeout(text: str | None) -> int:
    if text is None:
        return DEFAULT_TIMEOUT_S
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise refused(HEADER, f"timeout is {shown(text)}", cure="use whole seconds")
    return max(1, int(text))


def _decode_content(text: str, format_: str) -> bytes:
    if format_ == "raw":
        return text.encode()
    if format_ == "cstring":
        return parse_cstring(text)
    if format_ == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise refused(
                HEADER, "the content is not Base64", cure="encode it as Base64, or use format=cstring"
            ) from None
    raise refused(HEADER, f"format is {shown(format_)}", cure="use format=raw, cstring or base64")


def parse_cstring(text: str) -> bytes:
    r"""Return the bytes of text with the escapes `\\`, `\r`, `\n` and `\xHH`; other pairs stand for nothing.

    Raises:
        BadInstruction: a backslash ends the text, or `\x` lacks its two digits.
    """

    def meaning(escape: re.Match[bytes]) -> bytes:
        if escape["hex"] is not None:
            return bytes.fromhex(escape["hex"].decode())
        if escape["other"] is not None:
            return _MEANINGS.get(escape["other"], b"")
        raise refused(HEADER, f"{shown(escape[0].decode(errors='replace'))} is no escape", cure=r"use \\, \r, \n, \xHH")

    return _ESCAPE.sub(meaning, text.encode())
