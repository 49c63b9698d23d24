"""Python `pubcontrol` with `require_subscribers`, unmodified: what nobody listens to is not published at all.

Release 3.4 with signed tokens, 3.5 with the key as a bearer token: with a signed one, 3.5 fails inside.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import TextIO

import pytest

from tests.servers.listening import listen
from tests.servers.old_pubcontrol import old_pubcontrol
from tests.servers.product import Product, ProductRealm

__all__ = ["old_pubcontrol"]

PATIENCE_S = 60.0
_PROGRAM = """
import sys
from base64 import b64decode
import pubcontrol
from pubcontrol import Format, Item, PubControl, PubControlClient
realm, key, api, release = sys.argv[1:]

class JsonObject(Format):
    def __init__(self, value): self._value = value
    def name(self): return "json-object"
    def export(self): return self._value

entry = {"uri": api, "require_subscribers": True}
entry |= {"iss": realm, "key": b64decode(key)} if release == "3.4" else {"key": key}
pub = PubControl(entry)
monitor = pub.clients[0].sub_monitor
print("ready", flush=True)
for line in sys.stdin:
    word, channel, *values = line.split()
    if word == "publish":
        pub.publish(channel, Item(JsonObject(values[0])), blocking=True)
        print("published", flush=True)
    else:
        print(monitor.is_channel_subscribed_to(channel), flush=True)
"""


class Publisher:
    """A program that publishes what it is told to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: Queue[str] = Queue()
        assert process.stdout is not None
        threading.Thread(target=_read, args=(process.stdout, self._lines), daemon=True).start()
        assert self._lines.get(timeout=PATIENCE_S) == "ready"

    def ask(self, *words: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        return self._lines.get(timeout=PATIENCE_S)

    def publish(self, channel: str, value: str) -> None:
        assert self.ask("publish", channel, value) == "published"

    def wait_until_it_knows(self, channel: str) -> None:
        pace = threading.Event()
        for _ in range(600):
            if self.ask("knows", channel) == "True":
                return
            pace.wait(0.1)
        pytest.fail(f"the publisher was not told that {channel} has a subscriber")


def _read(stdout: TextIO, lines: "Queue[str]") -> None:
    for line in stdout:
        lines.put(line.strip())


@pytest.fixture(params=["3.4", "3.5"])
def publisher(request: pytest.FixtureRequest, old_pubcontrol: Path, realm: ProductRealm) -> Iterator[Publisher]:
    """A publisher of each release, with the credential that it works with."""
    release = request.param
    environment = os.environ | ({"PYTHONPATH": str(old_pubcontrol)} if release == "3.4" else {})
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, realm.realm, realm.key, realm.api, release],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Publisher(process)
    finally:
        process.kill()
        process.communicate()


def test_nothing_is_sent_where_nobody_listens_and_all_where_somebody_does(
    publisher: Publisher, product: Product, realm: ProductRealm, channel: str
):
    with listen(realm.site, channel) as listener:
        publisher.wait_until_it_knows(channel)
        publisher.publish(channel, "heard")
        publisher.publish(f"{channel}-other", "unheard")

        assert listener.take() == ["heard"]
    assert publisher.ask("knows", f"{channel}-other") == "False"


def test_it_finds_back_after_the_server_started_anew(
    publisher: Publisher, product: Product, realm: ProductRealm, channel: str
):
    with listen(realm.site, channel):
        publisher.wait_until_it_knows(channel)
    product.stop()
    product.start()

    with listen(realm.site, f"{channel}-new") as listener:
        publisher.wait_until_it_knows(f"{channel}-new")
        publisher.publish(f"{channel}-new", "heard")

        assert listener.take() == ["heard"]
