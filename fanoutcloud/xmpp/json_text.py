"""JSON inside XML (XEP-0335): checked as it comes in, pure ASCII as it goes out. Pure."""

import re

import msgspec

from fanoutcloud.core.xml_elements import Element
from fanoutcloud.xmpp.stanzas import pubsub_error

JSON = "urn:xmpp:json:0"
#: Of one payload; the realm's own limit holds as well.
MAX_JSON_BYTES = 131_072
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_EXAMPLE = "send <json xmlns='urn:xmpp:json:0'>JSON</json>"


def read_json(payload: Element) -> bytes:
    """Return the JSON text of a payload, on one line; numbers keep their digits.

    Raises:
        StanzaError: it is no `json` element, or not alone in it, or no JSON, or too large.
    """
    if payload.name != "json" or payload.namespace != JSON:
        raise pubsub_error("bad-request", "invalid-payload", f"{payload.name!r} is no payload here; {_EXAMPLE}")
    if any(True for _ in payload.elements):
        raise pubsub_error("bad-request", "invalid-payload", "json holds elements; it may hold text only")
    return check_json(payload.text)


def check_json(text: str) -> bytes:
    """Return JSON text on one line.

    Raises:
        StanzaError: it is none, and where the fault is; or it is too large.
    """
    encoded = text.encode()
    if len(encoded) > MAX_JSON_BYTES:
        problem = f"the JSON holds {len(encoded):,} bytes; send at most {MAX_JSON_BYTES:,} over XMPP"
        raise pubsub_error("not-acceptable", "payload-too-big", problem)
    if not text.strip(" \t\r\n"):
        raise pubsub_error("bad-request", "invalid-payload", f"the JSON is empty; {_EXAMPLE}")
    try:
        msgspec.json.decode(encoded, type=msgspec.Raw)
        return msgspec.json.format(encoded, indent=-1)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error).lower()
        raise pubsub_error("bad-request", "invalid-payload", f"this is no JSON: {problem}; send valid JSON") from None


def to_ascii(json: bytes) -> str:
    """Return JSON text with every character beyond ASCII escaped.

    JSON may hold some that XML forbids, and one of them would end the stream of everybody.
    """
    text = json.decode("utf-8", "surrogatepass")
    return text if text.isascii() else _NOT_ASCII.sub(_escape, text)  # they stand in strings, where JSON has escapes


def write_json(json: bytes) -> str:
    """Return JSON text as content of an element."""
    return to_ascii(json).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
