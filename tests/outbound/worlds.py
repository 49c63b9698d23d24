"""An HTTP client that may connect to this machine, with deadlines short enough to wait for."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fanoutcloud.outbound.addresses import AddressPolicy
from fanoutcloud.outbound.client import OutboundClient, Patience
from fanoutcloud.outbound.connecting import ConnectLimits, Connector, make_tls_context
from fanoutcloud.outbound.errors import NameNotFound
from fanoutcloud.outbound.lists import parse_networks
from fanoutcloud.outbound.messages import Endpoint, Request, Response
from fanoutcloud.outbound.pool import PoolLimits
from tests.servers.origin import Origin

LOOPBACK = AddressPolicy(allowed=parse_networks(["127.0.0.0/8"]))
TENANT = "0a1b2c3d"


class FakeResolver:
    """Knows the names that it is given; each look-up is answered by the next of a name's answers, the last for good."""

    def __init__(self, **names: list[list[str]]) -> None:
        self._names = {name.replace("_", "."): answers for name, answers in names.items()}
        self.looked_up: list[str] = []

    async def find_addresses(self, host: str) -> list[str]:
        self.looked_up.append(host)
        answers = self._names.get(host)
        if not answers:
            raise NameNotFound(f"the name {host} does not resolve")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@asynccontextmanager
async def client_of(
    *,
    policy: AddressPolicy = LOOPBACK,
    resolver: FakeResolver | None = None,
    tls: ssl.SSLContext | None = None,
    connect: ConnectLimits = ConnectLimits(connect_s=2.0, tls_s=2.0),  # noqa: B008 - frozen
    limits: PoolLimits = PoolLimits(),  # noqa: B008
    patience: Patience = Patience(head_s=5.0, idle_s=5.0),  # noqa: B008
) -> AsyncIterator[OutboundClient]:
    connector = Connector(policy, resolver or FakeResolver(), tls=tls or make_tls_context(), limits=connect)
    client = OutboundClient(connector, limits=limits, patience=patience)
    try:
        yield client
    finally:
        client.close()


def endpoint_of(origin: Origin) -> Endpoint:
    return Endpoint("127.0.0.1", origin.port)


def get(target: bytes = b"/", *, method: bytes = b"GET", body: bytes = b"") -> Request:
    return Request(method, target, [(b"Host", b"app.example")], body)


async def fetch(client: OutboundClient, origin: Origin, request: Request | None = None) -> Response:
    """Send a request as the one tenant of most tests."""
    return await client.send(TENANT, endpoint_of(origin), request or get())


async def read(response: Response) -> bytes:
    return await response.collect(10_000_000)
