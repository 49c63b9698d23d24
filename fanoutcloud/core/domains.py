"""What the delivery plane knows of a realm's domains: where their requests go and how (docs/topics/grip.md)."""

from dataclasses import dataclass
from typing import Literal

#: Name of the domain that every realm has: `{realm}.{EDGE_DOMAIN}` and `/r/{realm}` on any host.
BUILT_IN = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """A server that requests are passed on to; `host` is a name or an address, without brackets."""

    host: str
    port: int
    is_tls: bool = False

    @property
    def authority(self) -> str:
        """Return `host:port` as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ForwardedFor:
    """What becomes of `X-Forwarded-For`: the last `keep` values stay (0: none), then our peer is added or not."""

    keep: int = 0
    appends_peer: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """What happens to requests whose path begins with `prefix`.

    Of the routes that match, those that name a protocol win, then the longest prefix, then those that name TLS.
    Without `origins` the realm's own transports answer, as if the path were under the realm's site.
    `path` replaces the prefix when it is not None.
    """

    prefix: str = "/"
    origins: tuple[Origin, ...] = ()
    path: str | None = None
    protocol: Literal["any", "http", "ws"] = "any"
    is_tls: bool | None = None  # whether the client's connection must be; None: either


@dataclass(frozen=True, slots=True)
class Domain:
    """One name of a realm, and what answers there. Origins are tried in order."""

    name: str = BUILT_IN
    origins: tuple[Origin, ...] = ()
    routes: tuple[Route, ...] = ()
    is_websocket_over_http: bool = True
    rewrites_host: bool = False  # origins get their own name (`host:port`) in `Host` instead of the client's
    host_header: str | None = None  # and if this is set, this instead of either
    extra_headers: tuple[tuple[str, str], ...] = ()  # an empty value removes the header
    forwarded_for: ForwardedFor = ForwardedFor()
    cross_origin: Literal["off", "auto"] = "off"  # auto: add CORS headers where the origin has none
    has_json_p: bool = False
    is_debug: bool = False  # errors name their cause to the client
    signature_key_id: str | None = None  # the realm's key that signs Grip-Sig; None: its oldest live one
    #: What proves that the name belongs to the realm. The edge answers it itself, so that the proof goes on to hold.
    challenge: str = ""
