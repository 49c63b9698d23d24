"""One connection to an XMPP server as the component of one domain (XEP-0114); it comes back by itself."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from fanoutcloud.core.xml_elements import Element, quote_attribute
from fanoutcloud.core.xml_parsing import STREAMS, XmlFault, XmlLimits, XmlReader

logger = logging.getLogger(__name__)

COMPONENT = "jabber:component:accept"
CONNECT_S = 10.0
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0
#: More than this unsent: the server does not keep up, and the connection is begun anew from what has arrived.
MAX_UNSENT_BYTES = 67_108_864
#: Above this, catching up with history waits.
CALM_BYTES = 1_048_576
_READ_BYTES = 65_536
_LIMITS = XmlLimits(stanza_bytes=600_000, depth=64, elements=10_000, attributes=128)


@dataclass(frozen=True, slots=True)
class LinkOwner:
    """Who hears of a link; all are called on the event loop and must not raise."""

    on_stanza: Callable[[Element], None]
    on_up: Callable[[str], None]  # the domain
    on_down: Callable[[str], None]


class ComponentLink:
    """`run` connects until cancelled. What is written while there is no connection is dropped: `is_up` tells."""

    def __init__(self, domain: str, *, server: tuple[str, int], secret: str, owner: LinkOwner) -> None:
        self.domain = domain
        self.is_up = False
        self._server = server
        self._secret = secret
        self._owner = owner
        self._writer: asyncio.StreamWriter | None = None
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._calm = asyncio.Event()
        self._calm.set()

    async def run(self) -> None:
        """Be connected until cancelled."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                async with asyncio.timeout(CONNECT_S):
                    reader, writer = await asyncio.open_connection(*self._server)
                    parser = await self._shake_hands(reader, writer)
            except (OSError, XmlFault, EOFError) as error:  # TimeoutError is an OSError
                logger.warning("xmpp_server_away", extra={"domain": self.domain, "why": str(error) or "no answer"})
                await asyncio.sleep(retry_s)
                retry_s = min(LAST_RETRY_S, retry_s * 2)
                continue
            retry_s = FIRST_RETRY_S
            await self._be_up(reader, writer, parser)

    async def _shake_hands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> XmlReader:
        """Begin the stream and prove that we know the secret.

        Raises:
            EOFError: the server does not take us.
        """
        try:
            domain = quote_attribute(self.domain)
            writer.write(f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' to={domain}>".encode())
            parser = XmlReader(_LIMITS)
            while parser.header is None:
                _check_taken(parser.feed(await _read(reader)))
            digest = hashlib.sha1(f"{parser.header.get('id') or ''}{self._secret}".encode())  # noqa: S324 - XEP-0114
            writer.write(f"<handshake>{digest.hexdigest()}</handshake>".encode())
            while not (answers := parser.feed(await _read(reader))):
                pass
            _check_taken(answers)
        except BaseException:
            writer.close()
            raise
        return parser

    async def _be_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parser: XmlReader) -> None:
        self._writer, self.is_up = writer, True
        writer.transport.set_write_buffer_limits(high=CALM_BYTES)
        logger.info("xmpp_server_there", extra={"domain": self.domain})
        self._owner.on_up(self.domain)
        why = "closed"
        try:
            while not parser.is_ended:
                for stanza in parser.feed(await _read(reader)):
                    if stanza.name == "error" and stanza.namespace == STREAMS:
                        why = next((one.name for one in stanza.elements), "error")
                    else:
                        self._owner.on_stanza(stanza)
        except (OSError, EOFError, XmlFault) as error:
            why = str(error) or why
        finally:
            self._writer, self.is_up = None, False
            self._pieces.clear()
            self._pieces_bytes = 0
            self._calm.set()
            writer.transport.abort()
            self._owner.on_down(self.domain)
        logger.warning("xmpp_server_lost", extra={"domain": self.domain, "why": why})

    def write(self, data: bytes) -> None:
        """Send bytes; those of one turn of the event loop go out together."""
        if self._writer is None:
            return
        if not self._pieces:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pieces.append(data)
        self._pieces_bytes += len(data)

    def _flush(self) -> None:
        writer = self._writer
        pieces, self._pieces, self._pieces_bytes = self._pieces, [], 0
        if writer is None or not pieces:
            return
        writer.write(b"".join(pieces))
        if writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            logger.warning("xmpp_server_too_slow", extra={"domain": self.domain})
            writer.transport.abort()

    def unsent_bytes(self) -> int:
        return 0 if self._writer is None else self._pieces_bytes + self._writer.transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until little is unsent, or the connection is lost."""
        while self.unsent_bytes() > CALM_BYTES and self._writer is not None:
            try:
                await self._writer.drain()
            except OSError:
                return


async def _read(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(_READ_BYTES)
    if not data:
        raise EOFError("the server closed the connection")
    return data


def _check_taken(answers: list[Element]) -> None:
    for answer in answers:
        if answer.name != "handshake":
            conditions = [one.name for one in answer.elements] or [answer.name]
            raise EOFError(f"the server refuses: {', '.join(conditions)}"[:200])
