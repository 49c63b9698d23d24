"""The resolver against a name server of the test, over the wire."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fanoutcloud.outbound import resolver as resolver_module
from fanoutcloud.outbound.errors import NameNotFound
from fanoutcloud.outbound.resolver import MAX_ADDRESSES, DnsResolver
from tests.servers.name_server import AAAA, TXT, A, NameServer, ipv4


@asynccontextmanager
async def resolving() -> AsyncIterator[tuple[NameServer, DnsResolver]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    resolver = DnsResolver([f"127.0.0.1:{port}"])
    try:
        yield server, resolver
    finally:
        await resolver.close()
        transport.close()


async def test_both_families_are_found() -> None:
    async with resolving() as (server, resolver):
        server.records["app.example.com", A] = [ipv4("93.184.216.34"), ipv4("93.184.216.35")]
        server.records["app.example.com", AAAA] = [socket.inet_pton(socket.AF_INET6, "2606:4700::1")]

        found = await resolver.find_addresses("app.example.com")

    assert sorted(found) == ["2606:4700::1", "93.184.216.34", "93.184.216.35"]


async def test_a_name_that_does_not_exist_is_not_searched_elsewhere() -> None:
    async with resolving() as (server, resolver):
        with pytest.raises(NameNotFound, match=r"nothing\.example.com does not resolve"):
            await resolver.find_addresses("nothing.example.com")

    assert set(server.questions) == {"nothing.example.com"}


async def test_a_single_label_is_not_completed() -> None:
    async with resolving() as (server, resolver):
        with pytest.raises(NameNotFound):
            await resolver.find_addresses("intranet")

    assert set(server.questions) <= {"intranet"}


async def test_a_name_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver_module, "LOOK_UP_TIMEOUT_S", 0.05)
    async with resolving() as (server, resolver):
        server.records["slow.example.com", A] = None
        server.records["slow.example.com", AAAA] = None
        with pytest.raises(NameNotFound, match="within"):
            await resolver.find_addresses("slow.example.com")


async def test_the_hosts_file_is_read_first() -> None:
    async with resolving() as (server, resolver):
        found = await resolver.find_addresses("localhost")

    assert "127.0.0.1" in found
    assert server.questions == []


async def test_an_answer_without_end_is_cut() -> None:
    async with resolving() as (server, resolver):
        server.records["many.example.com", A] = [ipv4(f"93.184.{n // 250}.{n % 250}") for n in range(30)]

        assert len(await resolver.find_addresses("many.example.com")) == 30
    assert MAX_ADDRESSES >= 30


async def test_texts_are_read_whole() -> None:
    async with resolving() as (server, resolver):
        server.records["proof.example.com", TXT] = [b"\x03abc\x03def", b"\x05other"]

        assert await resolver.find_texts("proof.example.com") == ["abcdef", "other"]
        assert await resolver.find_texts("none.example.com") == []
        assert await resolver.find_texts("proof.example.org") == []


async def test_a_name_that_c_ares_refuses_does_not_resolve() -> None:
    async with resolving() as (_, resolver):
        for name in ("a..b", "a" * 300, ""):
            with pytest.raises(NameNotFound):
                await resolver.find_addresses(name)
