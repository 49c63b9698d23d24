"""Headers on their way through the edge: which ones end here, and which are ours to set. Pure.

Sources: RFC 9110 §7.6.1 (hop by hop), GRIP: proxying rules.
"""

import re
from dataclasses import dataclass

from fanoutcloud.core.domains import Domain, ForwardedFor, Origin
from fanoutcloud.outbound.messages import Endpoint, Headers

#: Of one connection, whatever it says of them.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
#: Beside those: what we do anew, and what only we may say of a client.
_NOT_TO_ORIGIN = HOP_BY_HOP | {
    b"accept-encoding",  # bodies are spliced, so they must come plain
    b"content-length",
    b"expect",
    b"forwarded",
    b"host",
    b"http2-settings",
    b"trailer",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-forwarded-proto",
}
_NOT_TO_CLIENT = HOP_BY_HOP | {b"content-length"}
#: On a host that several realms share (`/r/REALM`), an answer must not act on the host as a whole.
_NOT_ON_SHARED_HOST = frozenset(
    {
        b"alt-svc",
        b"clear-site-data",
        b"nel",
        b"public-key-pins",
        b"report-to",
        b"reporting-endpoints",
        b"service-worker-allowed",
        b"set-cookie",
        b"set-cookie2",
        b"strict-transport-security",
    }
)
#: A page there has an origin of its own, and so no way to the dashboard or to another realm.
_SANDBOX = (
    b"Content-Security-Policy",
    b"sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads; frame-ancestors 'none'",
)
#: What a realm shows under our host is no page of ours that search engines should find.
_NOT_INDEXED = (b"X-Robots-Tag", b"noindex, nofollow")
FEATURES = (
    b"status, session, link:next, filter:skip-self, filter:skip-users, filter:require-sub, filter:build-id, "
    b"filter:var-subst"
)
_LIST_SEPARATOR = re.compile(rb"\s*,\s*")


@dataclass(frozen=True, slots=True)
class ClientSide:
    """What we know of a client beside its headers."""

    address: str
    is_tls: bool
    host: bytes  # as the client named it
    prefix: str  # `/r/REALM` where the site is named by path, else empty


def is_grip(name: bytes) -> bool:
    """Tell whether a header is between edges and origins only."""
    return name[:5].lower() == b"grip-"


def find_values(headers: Headers, name: bytes) -> list[bytes]:
    """Return the values of a header, by its lower-case name."""
    return [value for key, value in headers if key.lower() == name]


def to_origin(headers: Headers, domain: Domain, client: ClientSide, *, via: bytes) -> Headers:
    """Return a client's headers, names in lower case, as every origin of the domain gets them; `Host` comes later."""
    present = {name for name, _ in headers}  # ASGI: in lower case
    dropped = _NOT_TO_ORIGIN | _named_by_connection(headers) if b"connection" in present else _NOT_TO_ORIGIN
    passed = [(name, value) for name, value in headers if name not in dropped and not is_grip(name)]
    if b"te" in present and _wants_trailers(headers):
        passed += [(b"TE", b"trailers"), (b"Connection", b"TE")]
    known = find_values(headers, b"x-forwarded-for") if b"x-forwarded-for" in present else []
    forwarded_for = _forwarded_for(known, domain.forwarded_for, client.address)
    if forwarded_for:
        passed.append((b"X-Forwarded-For", forwarded_for))
    passed.append((b"X-Forwarded-Proto", b"https" if client.is_tls else b"http"))
    if domain.rewrites_host or domain.host_header is not None:
        passed.append((b"X-Forwarded-Host", client.host))
    if client.prefix:
        passed.append((b"X-Forwarded-Prefix", client.prefix.encode("latin-1")))
    earlier = find_values(headers, b"via") if b"via" in present else []
    passed.append((b"Via", b", ".join([*earlier, via])))
    return override(passed, domain.extra_headers)


def override(headers: Headers, extra: tuple[tuple[str, str], ...]) -> Headers:
    """Return headers with those of `extra` in the place of others of their names; empty values only remove."""
    if not extra:
        return headers
    replaced = {name.lower().encode("latin-1") for name, _ in extra}
    kept = [(name, value) for name, value in headers if name.lower() not in replaced]
    return kept + [(name.encode("latin-1"), value.encode("latin-1")) for name, value in extra if value]


def host_for(origin: Origin, domain: Domain, client: ClientSide) -> bytes:
    """Return `Host` for a request to `origin`."""
    if domain.host_header is not None:
        return domain.host_header.encode("latin-1")
    if domain.rewrites_host or not client.host:
        return Endpoint(origin.host, origin.port, origin.is_tls).authority.encode("latin-1")
    return client.host


def to_client(headers: Headers, *, is_shared_host: bool) -> Headers:
    """Return an origin's headers as a client gets them, less framing."""
    dropped = _NOT_TO_CLIENT | _named_by_connection(headers)
    if is_shared_host:
        dropped |= _NOT_ON_SHARED_HOST
    passed = [(name, value) for name, value in headers if name.lower() not in dropped and not is_grip(name)]
    return [*passed, _SANDBOX, _NOT_INDEXED] if is_shared_host else passed


def _named_by_connection(headers: Headers) -> set[bytes]:
    """Return the names of headers that end with this hop, as the message's `Connection` says."""
    values = find_values(headers, b"connection")
    return {name.lower() for value in values for name in _LIST_SEPARATOR.split(value.strip())} if values else set()


def _wants_trailers(headers: Headers) -> bool:
    values = b",".join(find_values(headers, b"te")).lower()
    return b"trailers" in [value.strip() for value in values.split(b",")]


def _forwarded_for(values: list[bytes], policy: ForwardedFor, address: str) -> bytes:
    known = [one for value in values for one in _LIST_SEPARATOR.split(value.strip()) if one]
    kept = known[-policy.keep :] if policy.keep else []
    peer = [address.encode("latin-1")] if policy.appends_peer and address else []
    return b", ".join([*kept, *peer])
