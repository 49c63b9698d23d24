"""Addresses that a realm adds as subscribers, and stanzas for one of them, at every door."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from xml.etree.ElementTree import Element

import httpx
import pytest

from tests.contracts.test_xmpp_commands import do
from tests.servers.product import ProductRealm
from tests.servers.prosody import ELSEWHERE
from tests.servers.xmpp import PATIENCE_S, XmppClient, XmppSite, make_token, refusal, signed_in

CHAT = "<message type='chat'><body>{}</body></message>"


def publish_stanzas(realm: ProductRealm, channel: str, *stanzas: str) -> httpx.Response:
    items = [{"channel": channel, "xmpp-stanza": {"content": stanza}} for stanza in stanzas]
    return httpx.post(f"{realm.api}/publish/", json={"items": items}, auth=realm.auth, timeout=10, trust_env=False)


async def send(realm: ProductRealm, channel: str, *stanzas: str) -> None:
    answer = await asyncio.to_thread(publish_stanzas, realm, channel, *stanzas)
    assert answer.status_code == 200, answer.text


async def states(site: XmppSite, channel: str) -> dict[str, str]:
    """Return the addresses that were added to a channel, as REST tells of them."""
    answer = await asyncio.to_thread(
        httpx.get,
        f"{site.product.url}/api/v1/realms/{site.realm.realm}/xmpp/subscribers?channel={channel}",
        auth=site.realm.auth,
        timeout=10,
        trust_env=False,
    )
    return {row["address"]: f"{row['state']} {row['state_reason']}".strip() for row in answer.json()["items"]}


async def come_to_be(site: XmppSite, channel: str, address: str, state: str) -> str:
    """Wait until an address is in a state; return that with its reason."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := (await states(site, channel)).get(address, "")).startswith(state):  # noqa: ASYNC110 - of a server
            await asyncio.sleep(0.1)
    return found


async def hear(client: XmppClient) -> str:
    async with asyncio.timeout(PATIENCE_S):
        return str((await client.chats.get())["body"])


async def hear_all(site: XmppSite, channel: str, *clients: XmppClient) -> None:
    """Return when what is sent to the channel reaches these clients: an address that was added is so in a moment."""
    waiting = set(clients)
    async with asyncio.timeout(PATIENCE_S):
        while waiting:
            await send(site.realm, channel, CHAT.format("are you there?"))
            await asyncio.sleep(0.2)
            waiting = {client for client in waiting if client.chats.empty()}
    await asyncio.sleep(0.3)
    for client in clients:
        while not client.chats.empty():
            client.chats.get_nowait()


@contextlib.asynccontextmanager
async def present(site: XmppSite, name: str) -> AsyncIterator[XmppClient]:
    """Yield a client of the realm's account that takes what is sent to its bare address."""
    async with signed_in(site, name=name) as client:
        client.send_presence()
        yield client


@contextlib.asynccontextmanager
async def stranger(site: XmppSite) -> AsyncIterator[XmppClient]:
    """Yield a client who is at another domain, and available there."""
    client = XmppClient(site, ELSEWHERE, "")
    client.ca_certs = str(site.elsewhere)
    try:
        await client.sign_in()
        client.send_presence()
        yield client
    finally:
        await client.leave()


def admin(site: XmppSite) -> Any:
    return signed_in(site, make_token(site.realm), name="server")


async def test_an_address_gets_stanzas_without_having_subscribed(xmpp_site: XmppSite, channel: str) -> None:
    ops = xmpp_site.account("ops")
    async with admin(xmpp_site) as server, present(xmpp_site, "ops") as client:
        told = await do(server, "subscriber-add", xmpp_site.admin, channel=channel, jid=ops)
        listed = await do(server, "subscriber-list", xmpp_site.admin, channel=channel)
        await hear_all(xmpp_site, channel, client)
        await send(xmpp_site.realm, channel, CHAT.format("The door is open"))
        async with asyncio.timeout(PATIENCE_S):
            message = await client.chats.get()
        removed = await do(server, "subscriber-remove", xmpp_site.admin, channel=channel, jid=ops)
        again = await refusal(do(server, "subscriber-remove", xmpp_site.admin, channel=channel, jid=ops))

    assert told == listed == [f"{ops} of {channel} (active)"]
    assert (message["body"], str(message["from"])) == (
        "The door is open",
        f"{xmpp_site.realm.realm}@stanza.{xmpp_site.domain}",
    )
    assert client.items.empty()
    assert removed == [f"{ops} gets nothing of {channel} any more"]
    assert again[0] == "item-not-found"
    assert await states(xmpp_site, channel) == {}


async def test_a_stanza_for_one_address_reaches_no_other(xmpp_site: XmppSite, channel: str) -> None:
    one, other = (xmpp_site.account(name) for name in ("one", "other"))
    async with admin(xmpp_site) as server, present(xmpp_site, "one") as a, present(xmpp_site, "other") as b:
        for jid in (one, other):
            await do(server, "subscriber-add", xmpp_site.admin, channel=channel, jid=jid)
        await hear_all(xmpp_site, channel, a, b)
        to_one, to_other = (f"<message type='chat' to='{jid}'><body>{jid}</body></message>" for jid in (one, other))
        await send(xmpp_site.realm, channel, to_one, CHAT.format("all"), to_other)

        assert [await hear(a), await hear(a)] == [one, "all"]
        assert [await hear(b), await hear(b)] == ["all", other]


async def test_a_stanza_may_name_no_address_that_was_not_added(xmpp_site: XmppSite, channel: str) -> None:
    """Nor one that another realm has added."""
    victim = f"{xmpp_site.foreign.realm}.kiosk@{xmpp_site.domain}"
    refused = await asyncio.to_thread(
        publish_stanzas, xmpp_site.realm, channel, "<presence/>", f"<message to='{victim}'><body>x</body></message>"
    )

    assert refused.status_code == 400
    assert "items[1]" in refused.text
    assert "no active subscriber" in refused.text


@pytest.mark.parametrize("address", ["{foreign}.kiosk@{domain}", "admin-{foreign}@api.{domain}", "x@guest.{domain}"])
async def test_no_realm_writes_to_what_is_anothers(xmpp_site: XmppSite, channel: str, address: str) -> None:
    jid = address.format(foreign=xmpp_site.foreign.realm, domain=xmpp_site.domain)
    foreign_admin = f"admin-{xmpp_site.foreign.realm}@api.{xmpp_site.domain}"
    async with admin(xmpp_site) as server, signed_in(xmpp_site) as user:
        own = await refusal(do(server, "subscriber-add", xmpp_site.admin, channel=channel, jid=jid))
        crossing = await refusal(do(server, "subscriber-add", foreign_admin, channel=channel, jid=xmpp_site.account()))
        listing = await refusal(do(server, "subscriber-list", foreign_admin, channel=channel))
        no_admin = await refusal(do(user, "subscriber-list", xmpp_site.admin, channel=channel))

    assert own[0] == "bad-request"
    assert crossing == listing == no_admin
    assert crossing[0] == "item-not-found"


async def test_each_receiver_is_asked_with_an_id_of_its_own(xmpp_site: XmppSite, channel: str) -> None:
    """PubSub subscribers get whole stanzas, too, where the realm has it so; an IQ reaches full addresses only."""
    realm = await asyncio.to_thread(xmpp_site.product.create_realm)  # of its own: nobody has asked for it yet
    allow = "from realms.models import Realm; Realm.objects.filter(pk=sys.argv[1]).update(sends_stanzas=True)"
    await asyncio.to_thread(xmpp_site.product.run_python, allow, realm.realm)
    asked: dict[str, list[str]] = {"a": [], "b": []}
    async with signed_in(xmpp_site, name="a") as a, signed_in(xmpp_site, name="b") as b:
        for client, name in ((a, "a"), (b, "b")):

            def note(iq: Element, name: str = name) -> None:
                asked[name].append(iq.get("id") or "")

            client.add_filter("in", _iq_noter(note))
            await client.subscribe(channel, realm=realm.realm)
        await send(realm, channel, *["<iq type='get' id='mine'><ping xmlns='urn:xmpp:ping'/></iq>"] * 3)
        async with asyncio.timeout(PATIENCE_S):
            while min(map(len, asked.values())) < 3:  # noqa: ASYNC110 - slixmpp calls a filter, no event
                await asyncio.sleep(0.02)
        await a.plugin["xep_0199"].send_ping(xmpp_site.pubsub, timeout=5)  # the connection outlives the answers

    ids = asked["a"] + asked["b"]
    assert len(set(ids)) == 6
    assert "mine" not in ids
    assert "" not in ids


def _iq_noter(note: Any) -> Any:
    def look(stanza: Any) -> Any:
        if stanza.xml.find("{urn:xmpp:ping}ping") is not None and "stanza." in str(stanza["from"]):
            note(stanza.xml)
        return stanza

    return look


async def test_a_stranger_is_asked_and_a_stop_holds(xmpp_site: XmppSite, channel: str) -> None:
    if xmpp_site.elsewhere is None:
        async with admin(xmpp_site) as server:
            await do(server, "subscriber-add", xmpp_site.admin, channel=channel, jid="ops@example.org")
            assert "no XMPP server" in await come_to_be(xmpp_site, channel, "ops@example.org", "paused")
        return
    async with admin(xmpp_site) as server, stranger(xmpp_site) as client:
        jid, sender = str(client.boundjid.bare), f"{xmpp_site.realm.realm}@stanza.{xmpp_site.domain}"
        added = await do(server, "subscriber-add", xmpp_site.admin, channel=channel, jid=jid)
        question = await hear(client)
        await send(xmpp_site.realm, channel, CHAT.format("too early"))
        client.send_message(mto=sender, mbody="what is this?", mtype="chat")
        client.send_message(mto=sender, mbody=question.split("number: ")[1][:6], mtype="chat")
        reply = await hear(client)
        await hear_all(xmpp_site, channel, client)
        client.send_message(mto=sender, mbody="stop", mtype="chat")
        bye = await hear(client)
        refused = await refusal(do(server, "subscriber-add", xmpp_site.admin, channel=channel, jid=jid))
        state = await states(xmpp_site, channel)

    assert added[0].endswith("(pending)")
    assert xmpp_site.realm.realm in question
    assert "may send messages to this address now" in reply
    assert "sends nothing more" in bye
    assert refused[0] == "forbidden"
    assert state[jid].startswith("refused")


async def test_an_address_where_nobody_is_any_more_is_paused(xmpp_site: XmppSite, channel: str) -> None:
    if xmpp_site.elsewhere is None:
        pytest.skip("the embedded listener tells of nobody who is not connected")
    async with admin(xmpp_site) as server, stranger(xmpp_site) as client:
        jid = str(client.boundjid.bare)
        await do(server, "subscriber-add", xmpp_site.admin, channel=channel, jid=jid)
        code = (await hear(client)).split("number: ")[1][:6]
        client.send_message(mto=f"{xmpp_site.realm.realm}@stanza.{xmpp_site.domain}", mbody=code, mtype="chat")
        await hear(client)
        await hear_all(xmpp_site, channel, client)
    paused = ""
    async with asyncio.timeout(PATIENCE_S):
        while not paused.startswith("paused"):  # a server may lose the first without a word
            await send(xmpp_site.realm, channel, *[CHAT.format(number) for number in range(12)])
            await asyncio.sleep(0.5)
            paused = (await states(xmpp_site, channel))[jid]
    async with admin(xmpp_site) as server:
        again = await do(server, "subscriber-add", xmpp_site.admin, channel=channel, jid=jid)

    assert "came back" in paused
    assert again == [f"{jid} of {channel} (active)"]
