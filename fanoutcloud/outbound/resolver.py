"""Looks names up: c-ares, with deadlines, off no thread of ours.

The hosts file is read first, as the system does. Search domains do not apply: a name is looked up as it is written.
The answer is the caller's to judge; nothing here says which addresses may be connected to.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import aiodns
import pycares

from fanoutcloud.outbound.errors import NameNotFound

#: One question to one server, and how often it is asked; the whole look-up is bounded by its caller's deadline, too.
QUESTION_TIMEOUT_S = 2.0
TRIES = 2
LOOK_UP_TIMEOUT_S = 5.0
#: More addresses than this are no answer to reckon with.
MAX_ADDRESSES = 64
_FLAGS = pycares.ARES_FLAG_NOSEARCH | pycares.ARES_FLAG_NOALIASES | pycares.ARES_FLAG_EDNS


class Resolver(Protocol):
    """Turns names into addresses."""

    async def find_addresses(self, host: str) -> list[str]:
        """Return the IPv4 and IPv6 addresses of a name, as text, in the order that they came.

        Raises:
            NameNotFound: there is none, or no answer in time.
        """


class DnsResolver:
    """The system's name servers, or others. Bound to the first event loop that uses it; `close` it there."""

    def __init__(self, nameservers: Sequence[str] = ()) -> None:
        """`nameservers` are addresses, with a port where it is not 53; none: as the system has them."""
        self._nameservers = nameservers
        self._dns: aiodns.DNSResolver | None = None

    async def find_addresses(self, host: str) -> list[str]:
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT_S):
                found = await self._resolver.getaddrinfo(host)
        except TimeoutError:
            raise NameNotFound(f"the name {host} was not looked up within {LOOK_UP_TIMEOUT_S:g} s") from None
        except aiodns.error.DNSError as problem:
            raise NameNotFound(f"the name {host} does not resolve ({_wording(problem)})") from None
        addresses = list(dict.fromkeys(_text(node.addr[0]) for node in found.nodes))
        if not addresses:
            raise NameNotFound(f"the name {host} has no address")
        return addresses[:MAX_ADDRESSES]

    async def find_texts(self, name: str) -> list[str]:
        """Return the TXT records of a name, each as one text; none if there are none.

        Raises:
            NameNotFound: the name servers do not answer.
        """
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT_S):
                answer = await self._resolver.query_dns(name, "TXT")
        except TimeoutError:
            raise NameNotFound(f"the name {name} was not looked up within {LOOK_UP_TIMEOUT_S:g} s") from None
        except aiodns.error.DNSError as problem:
            if problem.args[0] in (aiodns.error.ARES_ENODATA, aiodns.error.ARES_ENOTFOUND):
                return []
            raise NameNotFound(f"the name {name} does not resolve ({_wording(problem)})") from None
        records = (record.data for record in answer.answer if isinstance(record.data, pycares.TXTRecordData))
        return [record.data.decode("utf-8", "replace") for record in records]

    async def close(self) -> None:
        """End look-ups that are under way."""
        if self._dns is not None:
            await self._dns.close()
            self._dns = None

    @property
    def _resolver(self) -> aiodns.DNSResolver:
        if self._dns is None:
            # No `lookups`: pycares 5.2 frees that text before c-ares reads it, and then names are looked up nowhere at
            # random. The default is the system's: hosts file, then DNS.
            self._dns = aiodns.DNSResolver(
                nameservers=list(self._nameservers) or None,
                flags=_FLAGS,
                timeout=QUESTION_TIMEOUT_S,
                tries=TRIES,
            )
        return self._dns


def _text(address: bytes | str) -> str:
    return address.decode("ascii") if isinstance(address, bytes) else address


def _wording(problem: aiodns.error.DNSError) -> str:
    return str(problem.args[1]) if len(problem.args) > 1 else "no answer"
