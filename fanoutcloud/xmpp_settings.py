"""Settings of XMPP, read together; off unless one of its two doors has an address."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from fanoutcloud.env import BadSetting, Environment

_DOMAIN = re.compile(r"(?=.{1,200}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")


@dataclass(frozen=True, slots=True)
class XmppSettings:
    """`port` and `tls_port` are those of the embedded listener, `server` where an XMPP server takes components."""

    domain: str
    host: str
    port: int
    tls_port: int
    requires_tls: bool
    certificate: Path | None
    key: Path | None
    server: tuple[str, int] | None
    secret: str

    @property
    def is_on(self) -> bool:
        return bool(self.port or self.tls_port or self.server)


def read_xmpp_settings(env: Environment, *, bind: str, public_host: str) -> XmppSettings:
    """Return the settings.

    Raises:
        BadSetting: one can't be used, or two do not go together.
    """
    default_domain = public_host if _DOMAIN.match(public_host) and not _is_address(public_host) else "localhost"
    domain = env.str("XMPP_DOMAIN", default_domain).lower().rstrip(".")
    if not _DOMAIN.match(domain):
        raise BadSetting(f"XMPP_DOMAIN is {domain!r}; expected a name such as push.example.com")
    certificate, key = env.str("XMPP_TLS_CERTIFICATE"), env.str("XMPP_TLS_KEY")
    for name, path in (("XMPP_TLS_CERTIFICATE", certificate), ("XMPP_TLS_KEY", key)):
        if path and not Path(path).is_file():
            raise BadSetting(f"{name} is {path!r}; there is no such file")
    if key and not certificate:
        raise BadSetting("XMPP_TLS_KEY is set without XMPP_TLS_CERTIFICATE")
    server, secret = _read_server(env.str("XMPP_SERVER")), env.secret("XMPP_SECRET")
    if server and not secret:
        raise BadSetting("XMPP_SERVER is set without XMPP_SECRET, the secret that its configuration has for components")
    return XmppSettings(
        domain=domain,
        host=env.str("XMPP_BIND", bind),
        port=env.int("XMPP_PORT", 0, at_most=65535),
        tls_port=env.int("XMPP_TLS_PORT", 0, at_most=65535),
        requires_tls=env.bool("XMPP_REQUIRE_TLS", default=True),
        certificate=Path(certificate) if certificate else None,
        key=Path(key) if key else None,
        server=server,
        secret=secret,
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _read_server(text: str) -> tuple[str, int] | None:
    """Return host and port of `HOST[:PORT]`; without a port, the one that components have by custom."""
    if not text:
        return None
    host, colon, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not host or (colon and not (port.isdigit() and 0 < int(port) < 65_536)):
        raise BadSetting(f"XMPP_SERVER is {text!r}; expected HOST:PORT, such as 127.0.0.1:5347")
    return host.strip("[]"), int(port or 5347)
