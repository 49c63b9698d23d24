"""The socket between two edges: who may use it, and what comes through."""

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanoutcloud.edge.takeover import control_socket
from fanoutcloud.edge.takeover.control_socket import (
    ControlSocket,
    PathTooLong,
    Peer,
    PeerGone,
    PeerSilent,
    WrongUser,
    connect,
)
from tests.edge.worlds import until


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path that is short enough, wherever tests run."""
    monkeypatch.chdir(tmp_path)
    return Path("edge.sock")


@pytest.fixture
def pair() -> Iterator[tuple[Peer, Peer]]:
    left, right = (Peer(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    yield left, right
    left.close()
    right.close()


def _no_refusal(refused: WrongUser) -> None:
    raise AssertionError(refused)


async def test_a_message_comes_whole_and_with_its_descriptors(pair: tuple[Peer, Peer]) -> None:
    left, right = pair
    reading, writing = os.pipe()
    left.send(b"x" * 100_000, [writing])
    os.close(writing)

    message, [came] = await right.receive(timeout_s=5)

    assert message == b"x" * 100_000
    assert not os.get_inheritable(came)
    os.write(came, b"through")
    assert os.read(reading, 10) == b"through"
    os.close(came)
    os.close(reading)


async def test_the_end_of_the_other_side_is_seen_behind_what_it_has_said(pair: tuple[Peer, Peer]) -> None:
    left, right = pair
    left.send(b"last words")
    left.close()

    assert await right.receive(timeout_s=5) == (b"last words", [])
    with pytest.raises(PeerGone):
        await right.receive(timeout_s=5)
    with pytest.raises(PeerGone):
        right.send(b"hello?")


async def test_silence_has_a_limit(pair: tuple[Peer, Peer]) -> None:
    with pytest.raises(PeerSilent):
        await pair[0].receive(timeout_s=0.01)


async def test_a_waiting_reader_gets_what_comes_later(pair: tuple[Peer, Peer]) -> None:
    left, right = pair
    reading = asyncio.create_task(right.receive(timeout_s=5))
    await asyncio.sleep(0)

    left.send(b"later")

    assert await reading == (b"later", [])


def test_a_process_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(WrongUser, match="4711"):
        Peer(left)

    assert left.fileno() == -1, "it is closed"
    right.close()


async def test_the_listening_side_goes_on_after_a_refusal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control = ControlSocket(path)
    uid = os.geteuid()
    stranger = connect(path)
    assert stranger is not None
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    refused: list[WrongUser] = []

    def refuse(error: WrongUser) -> None:
        refused.append(error)
        monkeypatch.setattr(os, "geteuid", lambda: uid)

    accepting = asyncio.create_task(control.accept(refuse))
    await until(lambda: bool(refused))
    friend = connect(path)
    assert friend is not None
    accepted = await accepting

    assert [error.uid for error in refused] == [uid]
    assert accepted.pid == os.getpid()
    for one in (stranger, friend, accepted, control):
        one.close()


def test_only_the_owner_may_use_the_file(path: Path) -> None:
    control = ControlSocket(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [name.name for name in path.parent.iterdir()] == [path.name]
    control.close()
    assert not path.exists()


def test_a_file_that_a_dead_process_left_is_nobody_and_is_replaced(path: Path) -> None:
    dead = ControlSocket(path)
    os.close(os.dup(dead._socket.fileno()))
    dead._socket.close()

    assert connect(path) is None
    control = ControlSocket(path)
    peer = connect(path)

    assert peer is not None
    peer.close()
    control.close()


def test_nobody_takes_away_the_file_of_its_successor(path: Path) -> None:
    old = ControlSocket(path)
    new = ControlSocket(path)

    old.close()

    peer = connect(path)
    assert peer is not None
    peer.close()
    new.close()


def test_where_there_is_no_file_there_is_no_edge(path: Path) -> None:
    assert connect(path) is None


def test_a_path_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(PathTooLong, match="107"):
        connect(tmp_path / ("x" * 120))


async def test_a_message_can_carry_as_many_descriptors_as_a_batch_has_connections(pair: tuple[Peer, Peer]) -> None:
    left, right = pair
    left.send(b"many", [0] * control_socket.MAX_DESCRIPTORS_PER_MESSAGE)

    _, descriptors = await right.receive(timeout_s=5)

    assert len(descriptors) == control_socket.MAX_DESCRIPTORS_PER_MESSAGE
    for descriptor in descriptors:
        os.close(descriptor)
