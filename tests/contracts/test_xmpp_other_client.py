"""`@xmpp/client` of npm, unmodified, at every door: another implementation's view of what slixmpp sees."""

import asyncio
import json
import os
from pathlib import Path

from tests.servers.publishing import publish
from tests.servers.xmpp import PATIENCE_S, XmppSite, user_token

#: Subscribes, says so, and prints the first item that comes: node, id, JSON.
PROGRAM = """
import { client, xml } from "@xmpp/client";
const { service, domain, username, password, pubsub, node } = JSON.parse(process.env.TEST_XMPP);
const PUBSUB = "http://jabber.org/protocol/pubsub";
const tell = (value) => console.log(JSON.stringify(value));
const xmpp = client({ service, domain, username, password });
xmpp.on("error", (error) => { console.error(error); process.exit(1); });
xmpp.on("stanza", async (stanza) => {
    const items = stanza.is("message") && stanza.getChild("event", `${PUBSUB}#event`)?.getChild("items");
    if (!items) return;
    const [item] = items.getChildren("item");
    tell([items.attrs.node, item.attrs.id, JSON.parse(item.getChildText("json"))]);
    await xmpp.stop();
});
xmpp.on("online", async (jid) => {
    const subscription = xml("subscribe", { node, jid: jid.toString() });
    await xmpp.iqCaller.request(xml("iq", { type: "set", to: pubsub }, xml("pubsub", PUBSUB, subscription)));
    tell("subscribed");
});
await xmpp.start();
"""


async def test_a_client_of_npm_subscribes_and_gets_an_item(
    xmpp_site: XmppSite, channel: str, node_packages: Path
) -> None:
    account = {
        "service": f"xmpp://127.0.0.1:{xmpp_site.port}",
        "domain": xmpp_site.domain,
        "username": xmpp_site.account().partition("@")[0],
        "password": user_token(xmpp_site.realm),
        "pubsub": xmpp_site.pubsub,
        "node": xmpp_site.node(channel),
    }
    environment = os.environ | {
        "TEST_XMPP": json.dumps(account),
        "NODE_EXTRA_CA_CERTS": str(xmpp_site.certificate),
    }
    program = await asyncio.create_subprocess_exec(
        *("node", "--input-type=module", "-e", PROGRAM),
        cwd=node_packages,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert program.stdout is not None
        async with asyncio.timeout(2 * PATIENCE_S):
            assert json.loads(await program.stdout.readline()) == "subscribed"
            await asyncio.to_thread(publish, xmpp_site.realm, channel, {"text": "Grüße & <b>"})
            told = json.loads(await program.stdout.readline())
            status = await program.wait()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()

    assert told == [xmpp_site.node(channel), "1", {"text": "Grüße & <b>"}]
    assert status == 0
