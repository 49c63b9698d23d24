"""Whoever answers for the service that checks tokens, slowly, endlessly or not at all: XMPP servers are not held up."""

import asyncio
import base64
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fanoutcloud.xmpp_certificate import generate
from tests.load.xmpp_clients import guest_auth, open_secure
from tests.servers.hostile_server import HostileServer, hostile_server
from tests.servers.prosody import Prosody, prosody_directory

PROGRAM = Path(__file__).resolve().parents[2] / "deploy" / "ejabberd" / "fanout_auth.py"
HOSTILE = ["silent", "drip", "endless", "garbage", "error", "redirect"]
DOMAIN = "push.test"
OPEN = (
    f"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{DOMAIN}' version='1.0'>"
)


class AuthProgram:
    """`fanout_auth.py`, asked as ejabberd does."""

    def __init__(self, url: str) -> None:
        pipe = subprocess.PIPE
        environment = os.environ | {"FANOUT_AUTH_URL": url, "XMPP_SECRET": "s"}
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM], stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )

    def ask(self, question: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        data = question.encode()
        self.process.stdin.write(struct.pack(">H", len(data)) + data)
        self.process.stdin.flush()
        length, answer = struct.unpack(">HH", self.process.stdout.read(4))
        assert length == 2
        return int(answer)

    def end(self) -> list[str]:
        """End it; return what it has said on stderr."""
        _, said = self.process.communicate(timeout=10)
        return said.decode().splitlines()


@pytest.mark.timeout(120)
def test_ejabberds_program_answers_no_in_time_whatever_it_is_told_and_says_so_once() -> None:
    with hostile_server() as server:
        program = AuthProgram(server.url)
        for behaviour in HOSTILE:
            server.behaviour = behaviour
            began = time.monotonic()
            assert program.ask("auth:r.kiosk:push.test:tok:en") == 0, behaviour
            assert time.monotonic() - began < 30, behaviour  # 4 s, and what a busy machine adds
        server.behaviour = "yes"
        answers = [program.ask("auth:r.kiosk:push.test:token"), program.ask("isuser:r.kiosk:push.test")]
        server.behaviour = "no"
        answers.append(program.ask("auth:r.kiosk:push.test:token"))
        answers.append(program.ask("setpass:r.kiosk:push.test:token"))
        said = program.end()

    assert answers == [1, 1, 0, 0]
    assert [line.split(";")[0].split(": ")[1] for line in said] == [
        said[0].split(": ")[1], "the service answers again",
    ]  # fmt: skip
    assert "sign-ins are refused" in said[0]


@pytest.fixture
async def fronted() -> AsyncIterator[tuple[Prosody, HostileServer]]:
    """A Prosody of ours whose questions a hostile server gets."""
    directory = prosody_directory()
    with hostile_server() as server:
        certificate = generate(directory, DOMAIN)
        prosody = Prosody(directory, domain=DOMAIN, certificate=certificate, auth_url=server.url)
        try:
            await asyncio.to_thread(prosody.start)
            yield prosody, server
        finally:
            prosody.kill()
            shutil.rmtree(directory, ignore_errors=True)


async def try_to_sign_in(prosody: Prosody) -> str:
    """Return what the server answers to a password."""
    client = await open_secure(prosody.tls_port)
    password = base64.b64encode(b"\0r.kiosk\0token").decode()
    try:
        await client.dialogue.say(OPEN, "</stream:features>")
        auth = f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{password}</auth>"
        return await client.dialogue.say(auth, ">")
    finally:
        client.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_prosody_refuses_for_a_while_whatever_it_is_told_and_says_so_once(
    fronted: tuple[Prosody, HostileServer],
) -> None:
    prosody, server = fronted
    for behaviour in HOSTILE:
        server.behaviour = behaviour
        answers = await asyncio.gather(*(try_to_sign_in(prosody) for _ in range(3)))
        assert all("temporary-auth-failure" in answer for answer in answers), (behaviour, answers)
        async with asyncio.timeout(20):
            while server.open:  # noqa: ASYNC110 - of another thread
                await asyncio.sleep(0.05)
    server.behaviour = "no"
    refused = await try_to_sign_in(prosody)
    server.behaviour = "yes"
    taken = await try_to_sign_in(prosody)
    guest = await open_secure(prosody.tls_port)
    await guest.dialogue.sign_in(f"guest.{DOMAIN}", guest_auth())
    guest.close()
    said = [line for line in prosody.log.read_text(errors="replace").splitlines() if "/xmpp/auth" in line]

    assert "not-authorized" in refused
    assert "<success" in taken
    assert [("sign-ins are refused" in line, "answers again" in line) for line in said] == [
        (True, False),
        (False, True),
    ]
