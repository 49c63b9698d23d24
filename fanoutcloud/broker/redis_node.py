"""One Redis server that takes our commands: knows its scripts, and which life of its data we talk to."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import chain

from fanoutcloud.broker.redis_address import RedisAddress
from fanoutcloud.broker.redis_connection import Argument, RedisConnection, RedisLimits, Reply, ScriptMissing
from fanoutcloud.broker.redis_identity import NotPrimary, ServerLife, look_up_life, name_lineage
from fanoutcloud.broker.redis_link import Locate, RedisLink
from fanoutcloud.broker.redis_scripts import ChannelCall, Script, Scripts, head_key
from fanoutcloud.core.errors import Unavailable

logger = logging.getLogger(__name__)

#: Channels in one script, which holds Redis up while it runs: about 10 µs each.
CHANNELS_PER_SCRIPT = 50

#: Answered instead of a reply when a publish has not reached enough replicas in time.
_TOO_FEW_REPLICAS = "too few replicas of the broker have the item yet"


class RedisNode:
    """Runs scripts on the one server that `locate` finds; while that is unreachable, raises `Unavailable` at once."""

    def __init__(
        self,
        locate: Locate,
        *,
        scripts: Scripts,
        salt: str,
        limits: RedisLimits,
        replicas: int = 0,
        on_found: Callable[[RedisAddress], None] = lambda address: None,
    ) -> None:
        self._locate = locate
        self._scripts = scripts
        self._salt = salt
        self._limits = limits
        self._replicas = replicas
        self._on_found = on_found
        self._link = RedisLink("commands", locate, limits=limits, on_up=self._prepare)
        self._life: ServerLife | None = None
        self._lineage = ""
        self._prepared: RedisConnection | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def connection(self) -> RedisConnection:
        """The open connection to a primary whose lineage is known.

        Raises:
            Unavailable: there is none at the moment.
        """
        connection = self._link.connection
        if connection is not self._prepared:
            raise Unavailable("the connection to the broker is being prepared", retry_after_s=1)
        return connection

    def connections(self) -> list[RedisConnection]:
        """Return the connections that lead to all keys: this one."""
        return [self.connection]

    async def start(self) -> None:
        """Connect; see `RedisLink.start`."""
        await self._link.start()
        self._watcher = asyncio.create_task(self._watch(), name="redis-watch")  # owned: ended by close()

    def start_trying(self) -> None:
        """Connect as soon as it can be done, without waiting for it."""
        self._link.start_trying()
        self._watcher = asyncio.create_task(self._watch(), name="redis-watch")  # owned: ended by close()

    async def close(self) -> None:
        """Disconnect; safe to call twice. Calls that wait get `Unavailable`."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait([watcher])
        await self._link.close()

    async def run(self, script: Script, header: Sequence[Argument], calls: Sequence[ChannelCall]) -> list[Reply]:
        """Run the script for each channel, all in one round trip; return the replies in order.

        Raises:
            Unavailable: at least one did not succeed; the others may have.
        """
        connection = self.connection
        commands = [
            self._to_command(script, header, calls[start : start + CHANNELS_PER_SCRIPT])
            for start in range(0, len(calls), CHANNELS_PER_SCRIPT)
        ]
        if len(commands) == 1:
            try:
                replies = [await connection.call(*commands[0])]
            except ScriptMissing as missing:
                replies = await self._run_again(connection, script, commands, [missing])
        else:
            replies = await asyncio.gather(*connection.call_all(commands), return_exceptions=True)
            replies = await self._run_again(connection, script, commands, replies)
        if self._scripts.is_publish(script):
            await self.wait_for_replicas()
        return replies[0] if len(replies) == 1 else list(chain.from_iterable(replies))

    async def _run_again(
        self, connection: RedisConnection, script: Script, commands: list[list[Argument]], replies: list[Reply]
    ) -> list[Reply]:
        """Run what found no script, for somebody flushed Redis's scripts; raise what went wrong otherwise."""
        missing = [index for index, reply in enumerate(replies) if isinstance(reply, ScriptMissing)]
        if missing:
            await connection.call("SCRIPT", "LOAD", script.text)
            again = connection.call_all([commands[index] for index in missing])
            for index, reply in zip(missing, await asyncio.gather(*again, return_exceptions=True), strict=True):
                replies[index] = reply
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        return replies

    def _to_command(self, script: Script, header: Sequence[Argument], calls: Sequence[ChannelCall]) -> list[Argument]:
        command: list[Argument] = ["EVALSHA", script.sha, len(calls)]
        command += [head_key(call.key) for call in calls]
        command += [self._salt, self._lineage, 1, *header]
        for call in calls:
            command += call.arguments
        return command

    async def wait_for_replicas(self) -> None:
        """Return when enough replicas have all that was written on this connection.

        Raises:
            Unavailable: that was not so in time.
        """
        if self._replicas:
            patience_ms = round(self._limits.answer_s * 500)
            if await self.connection.call("WAIT", self._replicas, patience_ms) < self._replicas:
                raise Unavailable(_TOO_FEW_REPLICAS, retry_after_s=1)

    async def _prepare(self, connection: RedisConnection) -> None:
        for script in self._scripts:
            await connection.call("SCRIPT", "LOAD", script.text)
        await self._note_life(connection, await look_up_life(connection))
        self._prepared = connection
        if self._link.address is not None:
            self._on_found(self._link.address)

    async def _note_life(self, connection: RedisConnection, life: ServerLife) -> None:
        lineage = await self._find_lineage(connection, life)
        if self._lineage not in ("", lineage):
            logger.warning("redis_lineage_changed", extra={"lineage": lineage})
        self._life, self._lineage = life, lineage

    async def _find_lineage(self, connection: RedisConnection, life: ServerLife) -> str:
        return await name_lineage(connection, life, repr(self._link.address))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._limits.watch_s)
            try:
                await self._look_again()
            except Unavailable:
                continue  # the link, or a later look, deals with it
            except Exception:  # whatever it is: a watch that ends would be missed by nobody
                logger.exception("redis_watch_failed")

    async def _look_again(self) -> None:
        """Let go of a server that is no longer the primary, or was another one's replica since we connected."""
        connection = self.connection
        try:
            life = await look_up_life(connection)
            is_same = self._life is not None and self._life.is_continued_by(life)
        except NotPrimary:
            is_same = False
        if not is_same or await self._locate() != self._link.address:
            logger.warning("redis_primary_changed")
            await connection.close()
        elif life != self._life:
            await self._note_life(connection, life)
