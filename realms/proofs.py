"""Looks for the proof that a name belongs to a realm: a TXT record, or a file on the web server of that name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fanoutcloud.outbound.calls import Call, CallLimits, HttpClient, perform
from fanoutcloud.outbound.errors import NameNotFound
from fanoutcloud.outbound.gate import Target
from fanoutcloud.outbound.messages import Endpoint

#: Label of the record that stands beside the name, so that the name itself may be an alias (CNAME).
RECORD_LABEL = "_fanout-challenge"
FILE_PATH = "/.well-known/fanout-challenge/"
MAX_FILE_BYTES = 1_000
CALL_LIMITS = CallLimits(head_s=5.0, total_s=8.0, read_bytes=MAX_FILE_BYTES, kept_bytes=MAX_FILE_BYTES)


class TextResolver(Protocol):
    """Asks the DNS for texts."""

    async def find_texts(self, name: str) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found: `kind` is `dns` or `http`; empty when nothing proves the name, and `problem` says why."""

    kind: str
    problem: str = ""


async def find_proof(*, name: str, challenge: str, tenant: str, resolver: TextResolver, client: HttpClient) -> Proof:
    """Look in the DNS, then on the name's web server. Takes 21 s at most."""
    in_dns = await find_record(name, challenge, resolver)
    if not in_dns:
        return Proof("dns")
    on_server = await _find_file(name, challenge, tenant, client)
    return Proof("", f"{in_dns} {on_server}") if on_server else Proof("http")


async def find_record(name: str, challenge: str, resolver: TextResolver) -> str:
    """Return why the DNS proves nothing; empty: it proves the name."""
    record = f"{RECORD_LABEL}.{name}"
    try:
        texts = await resolver.find_texts(record)
    except NameNotFound as error:
        return f"DNS: {error}."
    if any(text.strip().strip('"') == challenge for text in texts):
        return ""
    if not texts:
        return f"DNS: there is no TXT record at {record}."
    return f"DNS: the TXT record at {record} holds another text."


async def _find_file(name: str, challenge: str, tenant: str, client: HttpClient) -> str:
    """Return why the web server proves nothing; empty: it proves the name. HTTPS is tried where HTTP leads nowhere."""
    problem = ""
    for endpoint in (Endpoint(name, 80), Endpoint(name, 443, is_tls=True)):
        problem = await _fetch_file(endpoint, challenge, tenant, client)
        if not problem:
            return ""
    return problem


async def _fetch_file(endpoint: Endpoint, challenge: str, tenant: str, client: HttpClient) -> str:
    url = f"{'https' if endpoint.is_tls else 'http'}://{endpoint.authority}"
    target = Target(endpoint, f"{FILE_PATH}{challenge}")
    call = Call(target, b"GET", [(b"User-Agent", b"fanoutcloud"), (b"Accept", b"*/*")])
    record = await perform(client, call, tenant=tenant, limits=CALL_LIMITS)
    if record.error is not None:
        return f"Web server: {record.error}."
    if record.status != 200:
        return f"Web server: {url} answers {record.status} for the file."
    if record.is_body_whole and record.body.strip() == challenge.encode():
        return ""
    return f"Web server: the file at {url} holds another text."
