"""How one edge follows another on the same port: asks to take over at the start, and is asked later.

Without a predecessor an edge begins normally, and says so. Source: docs/topics/deploys.md.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.directory import RealmDirectory
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.takeover.control_socket import ControlSocket, PathTooLong, Peer, WrongUser, connect
from fanoutcloud.edge.takeover.handing_over import HandingOver
from fanoutcloud.edge.takeover.state import Revival
from fanoutcloud.edge.takeover.taking_over import NothingToTakeOver, Predecessor, Takeover, find_predecessor

if TYPE_CHECKING:
    from fanoutcloud.edge.server import EdgeServer

logger = logging.getLogger(__name__)

#: How often an edge that found another one at its control socket looks whether that has ended.
PATH_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The parts of a process that connections are moved between."""

    hub: Hub
    broker: Broker
    directory: RealmDirectory


class Succession:
    """One edge's place in the row. `say` is told, in sentences, what a person who deploys wants to know."""

    def __init__(
        self,
        delivery: Delivery,
        control_path: Path,
        *,
        bind: Callable[[], socket],
        takes_over: bool,
        limit_s: float,
        say: Callable[[str], None],
    ) -> None:
        self._delivery = delivery
        self._path = control_path
        self._bind = bind
        self._takes_over = takes_over
        self._limit_s = limit_s
        self._say = say
        self._predecessor: Predecessor | None = None
        #: Whether connections are on their way to or from another process.
        self.is_moving = False
        self._is_stopping = False

    async def find_listeners(self) -> list[socket]:
        """Return the sockets to listen on: the predecessor's, or one of our own.

        Raises:
            OSError: the port can't be had.
        """
        if self._takes_over:
            try:
                self._predecessor = await find_predecessor(self._path)
            except NothingToTakeOver as reason:
                self._say(f"takeover: {reason}; starting normally")
            else:
                return self._predecessor.listeners
        return [self._bind()]

    async def run(self, server: "EdgeServer") -> None:
        """Take over, then wait to be asked; ends when another process has taken over."""
        if self._predecessor is not None:
            self.is_moving = True
            try:
                await self._take_over(server, self._predecessor)
            finally:
                self.is_moving = False
        control = None if self._is_stopping else await self._listen()
        if control is None:
            return
        try:
            while not self._is_stopping:
                if await self._hand_over(server, await control.accept(self._tell_refused)):
                    server.should_exit = True
                    return
        finally:
            control.close()

    async def stop(self, running: "asyncio.Task[None]") -> None:
        """End `run`, which is under way in `running`; a takeover goes to its end, which is bounded."""
        self._is_stopping = True
        if not self.is_moving:
            running.cancel()
        await asyncio.wait([running])

    # -- the new side

    async def _take_over(self, server: "EdgeServer", predecessor: Predecessor) -> None:
        pid = predecessor.peer.pid
        if not predecessor.is_understood:
            self._say(f"takeover: process {pid} is of another version; it closes its connections, which come back here")
        delivery = self._delivery
        revival = Revival(delivery.hub, server.connections, server.begin_http)
        taken = await Takeover(predecessor, revival, delivery.broker, delivery.directory).run()
        if taken.failure:
            self._say(f"takeover: {taken.failure}; end process {pid} if it is still there")
        self._say(
            f"takeover: {taken.connections:,} connections came from process {pid} in {taken.seconds:.2f} s; "
            f"{taken.left:,} are closed there and come back"
        )

    # -- the old side

    async def _listen(self) -> ControlSocket | None:
        """Listen at the control path, once no other edge does; None if that is impossible."""
        is_told = False
        while (other := self._find_other()) is not None:
            if not is_told:
                self._say(f"process {other} has {self._path}; this edge can't be taken over before that has ended")
                is_told = True
            await asyncio.sleep(PATH_RETRY_S)
        try:
            return ControlSocket(self._path)
        except (OSError, PathTooLong) as problem:
            self._say(f"this edge can't be taken over: {self._path}: {problem}")
            return None

    def _find_other(self) -> int | None:
        """Return the process that listens at the path; the predecessor does not count, having handed over."""
        try:
            peer = connect(self._path)
        except (PathTooLong, WrongUser):
            return None
        if peer is None:
            return None
        peer.close()
        return None if self._predecessor is not None and peer.pid == self._predecessor.peer.pid else peer.pid

    async def _hand_over(self, server: "EdgeServer", peer: Peer) -> bool:
        """Hand over to `peer`; return whether it serves now."""
        delivery = self._delivery
        self.is_moving = True
        try:
            handing_over = HandingOver(server, delivery.hub, delivery.broker, limit_s=self._limit_s)
            done = await handing_over.run(peer)
        finally:
            self.is_moving = False
            peer.close()
        if done.is_replaced:
            self._say(f"takeover: process {peer.pid} serves now; it has {done.moved:,} connections of this one")
        return done.is_replaced

    def _tell_refused(self, refused: WrongUser) -> None:
        logger.warning("takeover_refused", extra={"uid": refused.uid})
