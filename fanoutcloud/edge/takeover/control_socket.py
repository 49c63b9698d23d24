"""The socket on which an edge is asked to hand over: messages with descriptors, between processes of one user.

A Unix socket of type SEQPACKET: a message comes whole with its descriptors or not at all, and the end of a process is
seen as the end of the connection, behind everything that it has sent.
"""

import array
import asyncio
import os
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

#: One message. The kernel's default for what a Unix socket holds is 212,992 bytes with its overhead.
MAX_MESSAGE_BYTES = 131_072
#: The kernel's own limit for one message is 253 (SCM_MAX_FD).
MAX_DESCRIPTORS_PER_MESSAGE = 200
_MAX_PATH_BYTES = 107  # sockaddr_un, without the last zero
_PEER_CREDENTIALS = struct.Struct("3i")


class PeerGone(Exception):
    """The other process has ended, or has closed the connection."""


class PeerSilent(Exception):
    """The other process does not answer in time."""


class WrongUser(Exception):
    """The other process belongs to somebody else."""

    def __init__(self, uid: int, expected_uid: int) -> None:
        super().__init__(uid, expected_uid)
        self.uid = uid
        self.expected_uid = expected_uid

    def __str__(self) -> str:
        return f"the other process runs as user {self.uid}; expected {self.expected_uid}"


class PathTooLong(Exception):
    """A Unix socket can't have this path."""

    def __str__(self) -> str:
        return f"the path has {len(os.fsencode(self.args[0]))} bytes; a Unix socket can have {_MAX_PATH_BYTES}"


class Peer:
    """The other process. Messages are bytes; descriptors that come belong to the caller."""

    def __init__(self, connection: socket.socket) -> None:
        """Take the connection over; closes it when the peer is refused.

        Raises:
            WrongUser: the process at the other end is not of this process's user.
        """
        connection.settimeout(0)
        self._socket = connection
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        self.pid, uid, _ = _PEER_CREDENTIALS.unpack(credentials)
        if uid != os.geteuid():
            connection.close()
            raise WrongUser(uid, os.geteuid())

    def send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send at once; one message in each direction always has room, and more are not under way.

        Raises:
            PeerGone: the other process has closed the connection, or takes nothing.
        """
        try:
            if descriptors:
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
                self._socket.sendmsg([message], [rights])
            else:
                self._socket.send(message)
        except OSError as error:
            raise PeerGone(str(error)) from error

    async def receive(self, *, timeout_s: float) -> tuple[bytes, list[int]]:
        """Return the next message.

        Raises:
            PeerGone: nothing more will come.
            PeerSilent: nothing came in time.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                while (received := self.receive_waiting()) is None:
                    await _readable(loop, self._socket)
        except TimeoutError:
            raise PeerSilent(f"nothing came for {timeout_s:g} s") from None
        return received

    def receive_waiting(self) -> tuple[bytes, list[int]] | None:
        """Return the next message that has come already, or None.

        Descriptors that found no room in this process are missing from the list.

        Raises:
            PeerGone: nothing more will come.
        """
        room = socket.CMSG_LEN(MAX_DESCRIPTORS_PER_MESSAGE * array.array("i").itemsize)
        try:
            message, ancillary, _, _ = self._socket.recvmsg(MAX_MESSAGE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        except OSError as error:
            raise PeerGone(str(error)) from error
        descriptors = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        if not message:
            raise PeerGone("it has ended")
        return message, list(descriptors)

    def close(self) -> None:
        self._socket.close()


async def _readable(loop: asyncio.AbstractEventLoop, waited_for: socket.socket) -> None:
    ready = loop.create_future()
    loop.add_reader(waited_for, _set, ready)
    try:
        await ready
    finally:
        loop.remove_reader(waited_for)


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def connect(path: Path) -> Peer | None:
    """Return the edge that listens at `path`, or None if there is none.

    Raises:
        WrongUser, PathTooLong.
    """
    connection = _new_socket(path)
    try:
        connection.connect(os.fspath(path))  # a Unix socket answers at once, or its queue is full
    except OSError:
        connection.close()
        return None
    return Peer(connection)


class ControlSocket:
    """The listening side. Its file has mode 0600, comes into place whole, and goes unless another replaced it."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`, in place of whoever had it.

        Raises:
            PathTooLong, OSError.
        """
        self._path = path
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        self._socket = _new_socket(unfinished)
        try:
            os.fchmod(self._socket.fileno(), 0o600)  # what bind gives to the file: there is no moment with another mode
            unfinished.unlink(missing_ok=True)
            self._socket.bind(os.fspath(unfinished))
            self._socket.listen(8)
            status = unfinished.stat()
            self._identity = (status.st_dev, status.st_ino)
            unfinished.replace(path)
        except OSError:
            self._socket.close()
            raise

    async def accept(self, on_refused: Callable[[WrongUser], None]) -> Peer:
        """Return the next process that asks; has no deadline, since most edges are never asked."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                await _readable(loop, self._socket)
                continue
            try:
                return Peer(connection)
            except WrongUser as refused:
                on_refused(refused)

    def close(self) -> None:
        self._socket.close()
        try:
            status = self._path.stat()
            if (status.st_dev, status.st_ino) == self._identity:
                self._path.unlink()
        except FileNotFoundError:
            return


def _new_socket(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise PathTooLong(os.fspath(path))
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.settimeout(0)
    return made
