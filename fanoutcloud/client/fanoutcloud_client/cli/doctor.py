"""`fanout doctor`: what stands between this machine and the service, each fault with its cause and its cure."""

import asyncio
import secrets
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import click
import httpx

from fanoutcloud_client.calls import Answer, Request, ask_once, run_blocking, timeouts
from fanoutcloud_client.cli.output import EXIT_FAILED, command, paint, say
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.errors import FanoutError
from fanoutcloud_client.events import ReceivedItem, Subscribed
from fanoutcloud_client.service import Service
from fanoutcloud_client.subscriptions import State
from fanoutcloud_client.tokens import read_token
from fanoutcloud_client.transports.ladder import ALL_TRANSPORTS
from fanoutcloud_client.transports.link import TransportName

CONNECT_TIMEOUT_S = 5.0
#: The server greets at once; whoever holds that back for so long is a proxy that buffers.
GREETING_TIMEOUT_S = 5.0
#: Tokens may be off by this much (docs/topics/access.md).
MAX_SKEW_S = 60.0

_TRANSPORT_CURES: dict[TransportName, str] = {
    "websocket": "have proxies pass the headers Upgrade and Connection; clients use another transport meanwhile",
    "http-stream": "turn off buffering in the proxy for /fanout/stream (nginx: proxy_buffering off)",
    "sse": "turn off buffering in the proxy for /fanout/sse (nginx: proxy_buffering off)",
    "long-poll": "let proxies wait 60 s for an answer (nginx: proxy_read_timeout 60s)",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    is_good: bool
    found: str
    cure: str = ""


class Stuck(Exception):
    """A check failed without which the rest can't be tried."""

    def __init__(self, found: str, cure: str) -> None:
        super().__init__(found)
        self.found = found
        self.cure = cure


def add_doctor(group: click.Group) -> None:
    """Add the command."""

    @command(group, "doctor")
    def doctor(settings: Settings) -> None:
        """Check name, connection, clock, key, token, and every transport; say how to cure what is wrong.

        Publishes one item to a channel of its own for each transport, where a key is set. Exits with 1 if a check
        failed.
        """
        is_well = True
        for finding in examine(settings):
            is_well = is_well and finding.is_good
            _show(settings, finding)
        sys.exit(0 if is_well else EXIT_FAILED)


def examine(settings: Settings) -> Iterator[Finding]:
    """Make the checks in order, each when it is asked for; those that need a failed one are left out."""
    service = Service(settings.need_url(), settings.realm, settings.key, settings.api_token, settings.site)
    with httpx.Client(timeout=timeouts()) as http:
        steps: list[tuple[str, Callable[[], str]]] = [
            ("name", lambda: _check_name(service)),
            ("connection", lambda: _check_connection(service)),
            ("clock", lambda: _check_clock(service, http)),
        ]
        for name, step in steps:
            finding = _try(name, step)
            yield finding
            if not finding.is_good and name != "clock":
                return
        if service.credential:
            yield _try("credential", lambda: _check_credential(service, http))
        if settings.token:
            yield _try("token", lambda: _check_token(settings))
    if settings.realm:
        for transport in ALL_TRANSPORTS:
            yield _try(transport, lambda transport=transport: asyncio.run(_check_transport(settings, transport)))  # type: ignore[misc]


def _try(name: str, step: Callable[[], str]) -> Finding:
    try:
        return Finding(name, is_good=True, found=step())
    except Stuck as stuck:
        return Finding(name, is_good=False, found=stuck.found, cure=stuck.cure)
    except FanoutError as error:
        return Finding(name, is_good=False, found=error.message, cure=error.cure)


def _check_name(service: Service) -> str:
    host = urlsplit(service.site_url or service.url).hostname or ""
    try:
        addresses = sorted({str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError as error:
        raise Stuck(f"{host} has no address: {error}", "check the spelling, and what your DNS says of it") from error
    return f"{host} is {', '.join(addresses[:4])}"


def _check_connection(service: Service) -> str:
    parts = urlsplit(service.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    began_at = time.monotonic()
    try:
        with socket.create_connection((parts.hostname or "", port), CONNECT_TIMEOUT_S) as connection:
            if parts.scheme == "https":
                context = ssl.create_default_context()
                context.wrap_socket(connection, server_hostname=parts.hostname).close()
    except ssl.SSLCertVerificationError as error:
        raise Stuck(
            f"the certificate does not hold: {error.verify_message}",
            "is a proxy in between? has the certificate run out? is its authority known here (SSL_CERT_FILE)?",
        ) from error
    except OSError as error:
        raise Stuck(
            f"no connection to port {port}: {error}", "is the server running? does a firewall close the port?"
        ) from error
    return f"port {port} answers in {1000 * (time.monotonic() - began_at):.0f} ms"


def _check_clock(service: Service, http: httpx.Client) -> str:
    before = time.time()
    try:
        answer = http.get(f"{service.url}/api/v1/me", headers=service.headers())
        told = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except httpx.HTTPError as error:
        raise Stuck(f"no answer over HTTP: {error}", "does a proxy (HTTPS_PROXY) stand in between?") from error
    except (KeyError, ValueError):
        return "the server tells no time"
    middle = (before + time.time()) / 2
    skew_s = middle - told - 0.5  # the header has whole seconds
    if abs(skew_s) > MAX_SKEW_S:
        raise Stuck(
            f"this clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the server's",
            "set the clock (NTP): tokens and webhooks that are off by more than 60 s are refused",
        )
    return f"within {abs(skew_s) + 0.5:.0f} s of the server's"


def _check_credential(service: Service, http: httpx.Client) -> str:
    answer: Answer = run_blocking(ask_once(Request("GET", service.api_address("/me"), service.headers())), http)
    told = answer.json()
    if "scopes" not in told:
        raise Stuck("this is no Fanout Cloud server", "check --url")
    if service.realm:
        run_blocking(ask_once(Request("GET", service.realm_address(), service.headers())), http)
    return f"{told.get('credential')} opens {service.realm or 'its realms'}: {len(told['scopes'])} scopes"


def _check_token(settings: Settings) -> str:
    contents = read_token(settings.token)
    expires_in_s = contents.expires_in_s
    if expires_in_s is None or expires_in_s < -MAX_SKEW_S:
        raise Stuck("the token has no exp, or its time is over", "make another: fanout token make")
    if settings.key and contents.header.get("alg") == "HS256" and not contents.is_signed_by(settings.key):
        raise Stuck("the token is not signed with the key that is set", "sign it with the key's decoded bytes")
    return f"of {contents.claims.get('sub', 'nobody')}, for another {expires_in_s:.0f} s"


async def _check_transport(settings: Settings, transport: TransportName) -> str:
    """Subscribe over one transport and, with a key, see an item come."""
    channel = f"fanout-doctor.{secrets.token_hex(4)}"
    began_at = time.monotonic()
    states: list[State] = []
    async with (
        settings.open_async() as fanout,
        fanout.subscribe(channel, transports=[transport], on_state=states.append) as listening,
    ):
        event = await listening.get(timeout_s=GREETING_TIMEOUT_S)
        if not isinstance(event, Subscribed):
            why = next((state.reason for state in states if state.reason), "no greeting came: something holds it back")
            raise Stuck(f"does not work: {why}", _TRANSPORT_CURES[transport])
        greeted_ms = 1000 * (time.monotonic() - began_at)
        if not (settings.key or settings.api_token):
            return f"greeted in {greeted_ms:.0f} ms; no key is set, so nothing was published"
        began_at = time.monotonic()
        await fanout.publish(channel, "doctor")
        event = await listening.get(timeout_s=GREETING_TIMEOUT_S)
        if not isinstance(event, ReceivedItem):
            raise Stuck("greets, but an item that was published did not come", _TRANSPORT_CURES[transport])
        return f"greeted in {greeted_ms:.0f} ms, an item came in {1000 * (time.monotonic() - began_at):.0f} ms"


def _show(settings: Settings, finding: Finding) -> None:
    mark = paint("ok  ", "green") if finding.is_good else paint("FAIL", "red")
    lines = [f"{mark}  {finding.check:<12}{finding.found}"]
    lines += [f"      {'':<12}cure: {finding.cure}"] if finding.cure else []
    say(settings, asdict(finding), "\n".join(lines))
