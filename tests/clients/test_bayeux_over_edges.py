"""Bayeux clients before two edges with Redis between them, where each request goes to the other edge than the last."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.conftest import run_node_program
from tests.servers.alternating import Alternating, alternating
from tests.servers.edges import Installation
from tests.servers.product import ProductRealm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

COUNT = 60
PROGRAM = """
const faye = require("faye");
const client = new faye.Client(realm.site + "/bayeux");
if ("@transport@" === "long-polling") client.disable("websocket");
const said = {};
client.addExtension({ outgoing: (message, done) => {
    said[message.channel] = (said[message.channel] || 0) + 1;
    done(message);
} });
const publish = (value) => fetch(realm.api + "/publish/", {
    method: "POST",
    headers: { Authorization: "Bearer " + realm.key },
    body: JSON.stringify({ items: [channel, channel + "-b"].map((name) => ({ channel: name, "json-object": value })) }),
});
const received = [[], []];
let told = () => {};
const take = (into) => (data) => { into.push(data); told(); };
await client.subscribe("/" + channel, take(received[0]));
await client.subscribe("/" + channel + "-b", take(received[1]));
for (let n = 0; n < COUNT; n++) {
    await publish(n);
    if (n % 10 === 5) {
        await client.subscribe("/" + channel + "-" + n, () => {});
    }
}
while (received[0].length < COUNT || received[1].length < COUNT) await new Promise((done) => { told = done; });
tell(received, said, client._dispatcher.connectionType);
await client.disconnect();
process.exit(0);
"""


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[tuple[Alternating, ProductRealm]]:
    installation = Installation(tmp_path_factory.mktemp("edges"), redis_url)
    with installation.edge():
        first = installation.port
        installation.take_port()
        installation.environment["PORT"] = str(installation.port)
        with installation.edge(), alternating(first, installation.port) as balancer:
            base = f"http://127.0.0.1:{balancer.port}"
            name = installation.realm.realm
            realm = replace(installation.realm, api=f"{base}/realm/{name}", site=f"{base}/r/{name}")
            yield balancer, realm


@pytest.mark.parametrize("transport", ["websocket", "long-polling"])
def test_faye_gets_all_and_shakes_hands_once(
    balancer: tuple[Alternating, ProductRealm], node_packages: Path, channel: str, transport: str
):
    through, realm = balancer
    text = PROGRAM.replace("@transport@", transport).replace("COUNT", str(COUNT))

    [[received, said, used]] = run_node_program(text, realm, channel, folder=node_packages)

    assert received == [list(range(COUNT))] * 2
    assert used == transport
    assert said["/meta/handshake"] == 1
    assert said["/meta/connect"] <= 4 * COUNT, "it goes round and round"
    assert min(through.counts.values()) > COUNT // 2


def test_callback_polling_alternates(balancer: tuple[Alternating, ProductRealm], channel: str):
    _, realm = balancer
    with httpx.Client(trust_env=False, timeout=20) as http:

        def say(**message: Any) -> list[dict[str, Any]]:
            answer = http.get(f"{realm.site}/bayeux", params={"message": json.dumps([message]), "jsonp": "go"})
            replies: list[dict[str, Any]] = json.loads(answer.text.removeprefix("/**/go(").rstrip().removesuffix(");"))
            assert replies[0].get("successful", True), replies
            return replies

        types = ["callback-polling"]
        [hello] = say(channel="/meta/handshake", version="1.0", supportedConnectionTypes=types)
        client_id = hello["clientId"]
        say(channel="/meta/subscribe", clientId=client_id, subscription=f"/{channel}")
        got: list[int] = []
        for number in range(20):
            item = {"channel": channel, "json-object": number}
            http.post(f"{realm.api}/publish/", json={"items": [item]}, auth=realm.auth).raise_for_status()
        number = 0
        while len(got) < 20:
            number += 1
            replies = say(channel="/meta/connect", clientId=client_id, connectionType=types[0], id=str(number))
            got += [reply["data"] for reply in replies if "data" in reply]

    assert got == list(range(20))
