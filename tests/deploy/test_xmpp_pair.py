"""`make xmpp`: everything in one process, and a Prosody in front of it."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.xmpp_clients import guest_auth, open_secure
from tests.servers.command import Command, clean_environment, free_port, started

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
INFO = "<iq type='get' id='i' to='pubsub.localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="starts Prosody as Debian has it"),
]


@pytest.fixture
def ports() -> dict[str, str]:
    names = ("PORT", "XMPP_CLIENT_PORT", "XMPP_CLIENT_TLS_PORT", "XMPP_COMPONENT_PORT")
    return {name: str(free_port()) for name in names}


@pytest.fixture
def pair(tmp_path: Path, ports: dict[str, str]) -> Iterator[Command]:
    environment = clean_environment(DATA_DIR=str(tmp_path / "data"), PYTHONUNBUFFERED="1", **ports)
    with started([sys.executable, "deploy/xmpp_pair.py"], folder=ROOT, environment=environment) as command:
        command.wait_for_text("ready: ", timeout_s=START_TIMEOUT_S)
        yield command


async def features_of_channels(port: int) -> str:
    """Sign in as a guest, and ask our component what it can until it answers."""
    client = await open_secure(port)
    try:
        await client.dialogue.sign_in("guest.localhost", guest_auth())
        deadline = time.monotonic() + START_TIMEOUT_S
        answer = await client.dialogue.say(INFO, "</iq>")
        while "urn:xmpp:json:0" not in answer and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            answer = await client.dialogue.say(INFO, "</iq>")
    finally:
        client.close()
    return answer


def is_listened_on(port: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", int(port))) == 0


def test_clients_reach_channels_and_ctrl_c_ends_both(pair: Command, ports: dict[str, str]) -> None:
    pair.wait_for_text(f"XMPP clients: port {ports['XMPP_CLIENT_PORT']}", timeout_s=START_TIMEOUT_S)
    answer = asyncio.run(features_of_channels(int(ports["XMPP_CLIENT_TLS_PORT"])))

    pair.interrupt()
    status = pair.wait_for_end(timeout_s=STOP_TIMEOUT_S)

    assert "urn:xmpp:json:0" in answer
    assert status == 0
    assert "Traceback" not in pair.output
    assert not any(is_listened_on(port) for port in ports.values())


def test_the_end_of_prosody_is_told_and_ends_the_other_one(pair: Command, ports: dict[str, str]) -> None:
    children = Path(f"/proc/{pair.process.pid}/task/{pair.process.pid}/children").read_text().split()
    [prosody] = [int(pid) for pid in children if b"prosody" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    os.kill(prosody, signal.SIGKILL)
    status = pair.wait_for_end(timeout_s=STOP_TIMEOUT_S)

    assert status == 1
    assert "prosody ended by itself with status -9; stopping the other one" in pair.output
    assert not any(is_listened_on(port) for port in ports.values())
