"""Where the proof of a name is looked for, and what is said when it is not there."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from fanoutcloud.outbound.client import Patience
from fanoutcloud.outbound.errors import ConnectFailed, NameNotFound
from fanoutcloud.outbound.messages import Endpoint, Request, Response, Trace
from fanoutcloud.way_out import open_way_out
from realms.proofs import MAX_FILE_BYTES, Proof, find_proof, find_record
from tests.servers.name_server import TXT, A, ipv4, running_name_server, text

NAME, CHALLENGE = "push.acme.com", "c0ffee" * 5


class Body:
    """A body that is there already."""

    def __init__(self, content: bytes) -> None:
        self._pieces = [content] if content else []
        self.is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()

    def close(self) -> None:
        self.is_closed = True


class Internet:
    """Texts in the DNS and files on web servers; what is not there can't be reached."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.files: dict[str, tuple[int, bytes]] = {}
        self.requests: list[str] = []
        self.is_dns_down = False

    async def find_texts(self, name: str) -> list[str]:
        if self.is_dns_down:
            raise NameNotFound(f"the name {name} was not looked up within 5 s")
        return self.texts.get(name, [])

    async def send(
        self,
        tenant: str,
        endpoint: Endpoint,
        request: Request,
        *,
        patience: Patience | None = None,
        trace: Trace | None = None,
    ) -> Response:
        url = f"{'https' if endpoint.is_tls else 'http'}://{endpoint.authority}{request.target.decode()}"
        self.requests.append(url)
        if url not in self.files:
            raise ConnectFailed(f"{endpoint.authority} refuses the connection")
        status, content = self.files[url]
        return Response(status, b"", [], Body(content))


@pytest.fixture
def internet() -> Internet:
    return Internet()


async def look(internet: Internet) -> Proof:
    return await find_proof(name=NAME, challenge=CHALLENGE, tenant="0a1b2c3d", resolver=internet, client=internet)


RECORD = f"_fanout-challenge.{NAME}"
FILE = f"{NAME}/.well-known/fanout-challenge/{CHALLENGE}"


@pytest.mark.parametrize("texts", [[CHALLENGE], [f'"{CHALLENGE}"'], ["v=spf1 -all", f" {CHALLENGE} "]])
async def test_a_record_in_the_dns_is_enough(internet: Internet, texts: list[str]):
    internet.texts[RECORD] = texts

    assert await look(internet) == Proof("dns")
    assert internet.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_file_on_the_web_server_is_enough(internet: Internet, scheme: str):
    internet.files[f"http://{FILE}"] = (301, b"")
    internet.files[f"{scheme}://{FILE}"] = (200, CHALLENGE.encode() + b"\n")

    assert await look(internet) == Proof("http")


async def test_the_dns_out_of_order_leaves_the_file(internet: Internet):
    internet.is_dns_down = True
    internet.files[f"http://{FILE}"] = (200, CHALLENGE.encode())

    assert await look(internet) == Proof("http")


@pytest.mark.parametrize(
    ("texts", "files", "words"),
    [
        ([], {}, ["no TXT record at _fanout-challenge.push.acme.com", "refuses the connection"]),
        (["another"], {}, ["holds another text"]),
        ([], {f"https://{FILE}": (404, b"no")}, ["https://push.acme.com answers 404"]),
        ([], {f"https://{FILE}": (200, b"no")}, ["https://push.acme.com holds another text"]),
        ([], {f"https://{FILE}": (200, CHALLENGE.encode() + b"x" * MAX_FILE_BYTES)}, ["holds another text"]),
    ],
)
async def test_what_is_missing_is_said(internet: Internet, texts: list[str], files, words: list[str]):
    internet.texts[RECORD] = texts
    internet.files |= files

    found = await look(internet)

    assert found.kind == ""
    assert [word for word in words if word not in found.problem] == []


async def test_the_way_out_of_the_settings_asks_its_name_servers_and_judges_addresses(settings: Settings):
    with running_name_server() as (names, port):
        names.records[RECORD, TXT] = [text(CHALLENGE)]
        names.records[NAME, A] = [ipv4("10.1.2.3")]
        settings.DNS_SERVERS, settings.ALLOWED_TARGETS = [f"127.0.0.1:{port}"], []
        async with open_way_out(django_settings) as way_out:
            found = await find_proof(
                name=NAME, challenge=CHALLENGE, tenant="", resolver=way_out.resolver, client=way_out.client
            )
            assert found == Proof("dns")
            names.records[RECORD, TXT] = []
            async with asyncio.timeout(10):
                missed = await find_proof(
                    name=NAME, challenge=CHALLENGE, tenant="", resolver=way_out.resolver, client=way_out.client
                )

    assert "not allowed (private)" in missed.problem


async def test_a_record_of_the_dns_alone(internet: Internet):
    internet.texts[RECORD] = [CHALLENGE]

    assert await find_record(NAME, CHALLENGE, internet) == ""
