"""Addresses of XMPP (JIDs): `local@domain/resource`. Source: RFC 7622, of which this keeps to the common part.

Local part and domain are case-folded, the resource is not. Rights go by the bare address, delivery by the full one.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_PART_BYTES = 1023
_NOT_IN_LOCAL = re.compile(r"[\s\"&'/:<>@\x00-\x1f\x7f-\xa0]")
_NOT_ANYWHERE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_DOMAIN = re.compile(r"(?:[^\W_]|[-.]){1,1023}\Z")


class BadJid(ValueError):
    """The text is no address; says why in one line."""


@dataclass(frozen=True, slots=True)
class Jid:
    """A parsed address."""

    local: str
    domain: str
    resource: str = ""

    @property
    def bare(self) -> "Jid":
        return Jid(self.local, self.domain) if self.resource else self

    @property
    def is_full(self) -> bool:
        return bool(self.resource)

    def with_resource(self, resource: str) -> "Jid":
        return Jid(self.local, self.domain, resource)

    def __str__(self) -> str:
        text = f"{self.local}@{self.domain}" if self.local else self.domain
        return f"{text}/{self.resource}" if self.resource else text


def parse_jid(text: str) -> Jid:
    """Return the address that `text` is.

    Raises:
        BadJid: it is none.
    """
    address, slash, resource = text.partition("/")
    local, at, domain = address.rpartition("@")
    local = unicodedata.normalize("NFC", local.casefold())
    domain = unicodedata.normalize("NFC", domain.casefold().removesuffix("."))
    resource = unicodedata.normalize("NFC", resource)
    if (at and not local) or (slash and not resource):
        raise BadJid("a part of the address is empty")
    if max(len(part.encode(errors="replace")) for part in (local, domain, resource)) > MAX_PART_BYTES:
        raise BadJid(f"a part of the address is longer than {MAX_PART_BYTES} bytes")
    if _NOT_IN_LOCAL.search(local) or _NOT_ANYWHERE.search(resource):
        raise BadJid("the address holds a character that may not be there")
    if not _is_domain(domain):
        raise BadJid("the address has no domain")
    return Jid(local, domain, resource)


def find_jid(text: str | None) -> Jid | None:
    """Return the address that `text` is, or None if it is none."""
    try:
        return None if text is None else parse_jid(text)
    except BadJid:
        return None


def _is_domain(domain: str) -> bool:
    if domain.startswith("[") and domain.endswith("]"):
        return bool(re.fullmatch(r"\[[0-9a-f:.]{2,45}\]", domain))
    return bool(_DOMAIN.match(domain)) and not domain.startswith((".", "-")) and ".." not in domain
