"""Channels as PubSub nodes, at every door, with slixmpp."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from slixmpp.exceptions import IqError
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.servers.listening import Listener, listen
from tests.servers.publishing import publish
from tests.servers.xmpp import (
    JSON,
    PATIENCE_S,
    PUBSUB,
    SignInFailed,
    XmppClient,
    XmppSite,
    condition_of,
    make_token,
    refusal,
    signed_in,
    user_token,
)

ITEMS = "http://jabber.org/protocol/disco#items"
PUBLISH = {"*": ["subscribe", "publish", "history"]}


@contextlib.asynccontextmanager
async def listening(site: XmppSite, channel: str) -> AsyncIterator[Listener]:
    """Yield a listener over server-sent events; it waits in threads."""
    with contextlib.ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, listen(site.realm.site, channel))


async def publish_by_rest(site: XmppSite, channel: str, *values: object) -> None:
    await asyncio.to_thread(publish, site.realm, channel, *values)


async def test_an_item_published_over_rest_reaches_xmpp(xmpp_site: XmppSite, channel: str) -> None:
    async with signed_in(xmpp_site) as client:
        await client.subscribe(channel)
        await publish_by_rest(xmpp_site, channel, {"text": "Grüße & <b>\uffff</b> ]]>", "n": 1})

        node, id_, value, position = await client.next()

    assert node == xmpp_site.node(channel)
    assert value == {"text": "Grüße & <b>\uffff</b> ]]>", "n": 1}
    assert position.endswith(f":{id_}")
    assert id_ == "1"


async def test_an_item_published_over_xmpp_reaches_xmpp_and_sse(xmpp_site: XmppSite, channel: str) -> None:
    token = make_token(xmpp_site.realm)
    async with signed_in(xmpp_site) as client, signed_in(xmpp_site, token, name="server") as server:
        await client.subscribe(channel)
        async with listening(xmpp_site, channel) as listener:
            id_ = await server.publish(channel, {"open": True}, id_="evt-1")
            [item] = await asyncio.to_thread(listener.take_items, 1)

        node, got_id, value, _ = await client.next()

    assert (id_, got_id, item["id"]) == ("evt-1",) * 3
    assert value == item["data"] == {"open": True}
    assert node == xmpp_site.node(channel)


async def test_a_repeated_id_is_answered_again_and_delivered_once(xmpp_site: XmppSite, channel: str) -> None:
    async with signed_in(xmpp_site, make_token(xmpp_site.realm)) as client:
        await client.subscribe(channel)
        answers = [await client.publish(channel, n, id_="once") for n in (1, 2)]
        await client.publish(channel, 3)

        assert answers == ["once", "once"]
        assert await client.data(2) == [1, 3]


async def test_a_user_publishes_where_the_token_says_so(xmpp_site: XmppSite, channel: str) -> None:
    token = user_token(xmpp_site.realm, **{"room.*": ["subscribe", "publish"]})
    async with signed_in(xmpp_site, token) as client:
        assert await client.publish(f"room.{channel}", 1, id_="mine") == "mine"
        condition, text = await refusal(client.publish(channel, 1))

    assert condition == "forbidden"
    assert channel in text


@pytest.mark.parametrize("kind", ["wrong", "expired", "other user"])
async def test_nobody_signs_in_with_a_token_that_does_not_hold(xmpp_site: XmppSite, kind: str) -> None:
    realm = xmpp_site.realm
    token = {
        "wrong": user_token(realm)[:-4] + "AAAA",
        "expired": user_token(realm, lifetime_s=-600),
        "other user": user_token(realm, "somebody"),
    }[kind]

    with pytest.raises(SignInFailed):
        async with signed_in(xmpp_site, token):
            pass


async def test_what_was_missed_comes_after_the_result_and_before_what_is_new(xmpp_site: XmppSite, channel: str) -> None:
    async with signed_in(xmpp_site) as client:
        await client.subscribe(channel)
        await publish_by_rest(xmpp_site, channel, 1)
        since = (await client.next())[3]
    await publish_by_rest(xmpp_site, channel, 2, 3)

    async with signed_in(xmpp_site) as client:
        answer = await client.subscribe(channel, since=since)
        await publish_by_rest(xmpp_site, channel, 4)

        assert await client.data(3) == [2, 3, 4]
    assert answer.find(".//{urn:fanout:stream:0}reset") is None


async def test_whoever_comes_with_a_lost_position_is_told(xmpp_site: XmppSite, channel: str) -> None:
    await publish_by_rest(xmpp_site, channel, 1)
    async with signed_in(xmpp_site) as client:
        answer = await client.subscribe(channel, since="aaaaaaaa:1")
        await publish_by_rest(xmpp_site, channel, 2)

        assert answer.find(".//{urn:fanout:stream:0}reset") is not None
        assert await client.data() == [2]


async def test_history_is_read_page_by_page(xmpp_site: XmppSite, channel: str) -> None:
    await publish_by_rest(xmpp_site, channel, *range(1, 8))
    node, rsm = xmpp_site.node(channel), "http://jabber.org/protocol/rsm"
    async with signed_in(xmpp_site) as client:

        async def read(paging: str, attributes: str = "") -> tuple[list[str], str | None]:
            answer = await client.ask(f"<pubsub xmlns='{PUBSUB}'><items node='{node}'{attributes}/>{paging}</pubsub>")
            ids = [item.get("id") or "" for item in answer.iter(f"{{{PUBSUB}}}item")]
            last = answer.find(f".//{{{rsm}}}last")
            return ids, None if last is None else last.text

        newest, _ = await read("", " max_items='2'")
        before, _ = await read(f"<set xmlns='{rsm}'><max>3</max><before/></set>")
        first, position = await read(f"<set xmlns='{rsm}'><max>3</max><after>{(await read(''))[1]}</after></set>")
        lost = await refusal(read(f"<set xmlns='{rsm}'><max>3</max><after>aaaaaaaa:1</after></set>"))

    assert newest == ["6", "7"]
    assert before == ["5", "6", "7"]
    assert (first, position) == ([], None)
    assert lost[0] == "item-not-found"


async def test_subscriptions_are_listed_and_end(xmpp_site: XmppSite, channel: str) -> None:
    listing = f"<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>"
    async with signed_in(xmpp_site) as client:
        ending = f"<unsubscribe node='{xmpp_site.node(channel)}' jid='{client.boundjid.full}'/>"
        await client.subscribe(channel)
        before = [one.get("node") for one in (await client.ask(listing)).iter(f"{{{PUBSUB}}}subscription")]
        await client.ask(f"<pubsub xmlns='{PUBSUB}'>{ending}</pubsub>", type_="set")
        after = list((await client.ask(listing)).iter(f"{{{PUBSUB}}}subscription"))
        again = await refusal(client.ask(f"<pubsub xmlns='{PUBSUB}'>{ending}</pubsub>", type_="set"))

    assert before == [xmpp_site.node(channel)]
    assert after == []
    assert again[0] == "unexpected-request"


async def test_discovery_names_what_is_offered(xmpp_site: XmppSite, channel: str) -> None:
    async with signed_in(xmpp_site) as client:
        service = await client.plugin["xep_0030"].get_info(xmpp_site.pubsub)
        node = await client.plugin["xep_0030"].get_info(xmpp_site.pubsub, node=xmpp_site.node(channel))
        await client.plugin["xep_0199"].send_ping(xmpp_site.pubsub, timeout=5)

    assert ("pubsub", "service", None, "Channels") in service["disco_info"]["identities"]
    assert {f"{PUBSUB}#publish", f"{PUBSUB}#rsm", "urn:xmpp:json:0"} <= service["disco_info"]["features"]
    assert ("pubsub", "leaf", None, channel) in node["disco_info"]["identities"]


async def test_channels_are_listed_page_by_page_for_whoever_administers_the_realm(
    xmpp_site: XmppSite, channel: str
) -> None:
    rsm = "http://jabber.org/protocol/rsm"
    names = sorted(f"{channel}/{number}" for number in range(5))

    async def list_nodes(client: XmppClient, *, size: int, after: str = "") -> list[str]:
        paging = f"<set xmlns='{rsm}'><max>{size}</max>{f'<after>{after}</after>' if after else ''}</set>"
        answer = await client.ask(f"<query xmlns='{ITEMS}'>{paging}</query>")
        return [item.get("node") or "" for item in answer.iter(f"{{{ITEMS}}}item")]

    async with (
        signed_in(xmpp_site) as client,
        signed_in(xmpp_site, make_token(xmpp_site.realm), name="server") as server,
    ):
        for name in names:
            await client.subscribe(name)
        first = await list_nodes(server, size=2, after=xmpp_site.node(channel))
        rest = await list_nodes(server, size=3, after=first[-1])
        of_a_stranger = await list_nodes(client, size=100)

    assert first + rest == [xmpp_site.node(name) for name in names]
    assert of_a_stranger == []


async def test_another_realm_looks_like_none(xmpp_site: XmppSite, channel: str) -> None:
    """What an account may do ends with its realm; there it is anybody, who may subscribe and not publish."""
    async with signed_in(xmpp_site, make_token(xmpp_site.realm)) as client:
        foreign = await refusal(client.publish(channel, 1, realm=xmpp_site.foreign.realm))
        missing = await refusal(client.publish(channel, 1, realm="no-such-realm"))
        missing_to_subscribe = await refusal(client.subscribe(channel, realm="no-such-realm"))

    assert foreign[0] == "forbidden"
    assert missing == missing_to_subscribe
    assert missing[0] == "item-not-found"


async def test_nobody_subscribes_for_somebody_else(xmpp_site: XmppSite, channel: str) -> None:
    async with signed_in(xmpp_site) as client:
        condition, _ = await refusal(client.subscribe(channel, jid=f"{xmpp_site.realm.realm}.other@push.test/x"))

    assert condition == "bad-request"


async def test_an_expired_token_ends_the_subscription_with_an_event(xmpp_site: XmppSite, channel: str) -> None:
    """A token that holds for a second only, and the minute in which clocks may differ, is revoked instead."""
    token = make_token(xmpp_site.realm, sub="kiosk", jti=f"id-{channel}", channels={"*": ["subscribe"]})
    async with signed_in(xmpp_site, token) as client:
        await client.subscribe(channel)
        answer = await asyncio.to_thread(
            httpx.post,
            f"{xmpp_site.product.url}/api/v1/realms/{xmpp_site.realm.realm}/revocations/tokens",
            json={"token_id": f"id-{channel}"},
            auth=xmpp_site.realm.auth,
            timeout=10,
            trust_env=False,
        )
        assert answer.status_code < 300, answer.text
        notice = await client.notice()
        refused = await refusal(client.publish(channel, 1))

    ended = notice.find(f".//{{{PUBSUB}#event}}subscription")
    assert ended is not None
    assert ended.get("subscription") == "none"
    assert ended.get("node") == xmpp_site.node(channel)
    assert refused[0] == "not-authorized"


BAD_REQUESTS = {
    "no node": (f"<pubsub xmlns='{PUBSUB}'><publish/></pubsub>", "set", "bad-request", "nodeid-required"),
    "no jid": (f"<pubsub xmlns='{PUBSUB}'><subscribe node='/R/c'/></pubsub>", "set", "bad-request", "jid-required"),
    "no item": (f"<pubsub xmlns='{PUBSUB}'><publish node='/R/c'/></pubsub>", "set", "bad-request", "item-required"),
    "no payload": (
        f"<pubsub xmlns='{PUBSUB}'><publish node='/R/c'><item/></publish></pubsub>",
        "set", "bad-request", "payload-required",
    ),
    "other payload": (
        f"<pubsub xmlns='{PUBSUB}'><publish node='/R/c'><item><a xmlns='b'/></item></publish></pubsub>",
        "set", "bad-request", "invalid-payload",
    ),
    "no JSON": (
        f"<pubsub xmlns='{PUBSUB}'><publish node='/R/c'><item><json xmlns='{JSON}'>{{</json></item></publish></pubsub>",
        "set", "bad-request", "invalid-payload",
    ),
    "create": (
        f"<pubsub xmlns='{PUBSUB}'><create node='/R/c'/></pubsub>",
        "set", "feature-not-implemented", "unsupported",
    ),
    "purge": (
        f"<pubsub xmlns='{PUBSUB}#owner'><purge node='/R/c'/></pubsub>",
        "set", "feature-not-implemented", "unsupported",
    ),
    "unknown": ("<query xmlns='urn:example:unknown'/>", "get", "service-unavailable", ""),
    "bad options": (
        (f"<pubsub xmlns='{PUBSUB}'><subscribe node='/R/c' jid='JID'/><options node='/R/c' jid='JID'><x xmlns="
         "'jabber:x:data' type='submit'><field var='pubsub#digest'><value>1</value></field></x></options></pubsub>"),
        "set", "bad-request", "invalid-options",
    ),
}  # fmt: skip


async def test_each_bad_request_is_refused_with_the_condition_that_the_specification_names(xmpp_site: XmppSite) -> None:
    async with signed_in(xmpp_site, make_token(xmpp_site.realm)) as client:
        for name, (payload, type_, condition, detail) in BAD_REQUESTS.items():
            payload = payload.replace("/R/", f"/{xmpp_site.realm.realm}/").replace("JID", client.boundjid.full)
            with pytest.raises(IqError) as refused:
                await client.ask(payload, type_=type_)
            told = [child.tag for child in refused.value.iq.xml.find("{jabber:client}error")]
            assert condition_of(refused.value)[0] == condition, name
            assert not detail or f"{{{PUBSUB}#errors}}{detail}" in told, (name, told)


async def test_guests_read_public_channels_and_nothing_else(xmpp_site: XmppSite, channel: str) -> None:
    async with signed_in(xmpp_site, "", jid=f"guest.{xmpp_site.domain}") as guest:
        await guest.subscribe(channel)
        await publish_by_rest(xmpp_site, channel, "for all")

        assert await guest.data() == ["for all"]
        assert (await refusal(guest.publish(channel, 1)))[0] == "forbidden"
        assert (await refusal(guest.subscribe(channel, realm="no-such-realm")))[0] == "item-not-found"


async def test_rest_fires_off_stanzas_where_the_realm_has_them(xmpp_site: XmppSite, channel: str) -> None:
    realm = await asyncio.to_thread(xmpp_site.product.create_realm)  # of its own: nobody has asked for it yet
    stanza = "<message type='chat' from='boss@bank.example/desk'><body>The door is open</body></message>"
    item = {"channel": channel, "json-object": {"open": True}, "xmpp-stanza": {"content": stanza}}

    def send() -> httpx.Response:
        return httpx.post(f"{realm.api}/publish/", json={"items": [item]}, auth=realm.auth, timeout=10, trust_env=False)

    def allow() -> None:
        xmpp_site.product.run_python(
            "from realms.models import Realm; Realm.objects.filter(pk=sys.argv[1]).update(sends_stanzas=True)",
            realm.realm,
        )

    async with signed_in(xmpp_site) as client:
        await asyncio.to_thread(allow)
        await client.subscribe(channel, realm=realm.realm)
        assert (await asyncio.to_thread(send)).status_code == 200
        async with asyncio.timeout(15):
            message = await client.chats.get()

    assert message["body"] == "The door is open"
    assert str(message["from"]) == f"{realm.realm}@stanza.{xmpp_site.domain}/desk"
    assert client.items.empty()


async def test_the_console_shows_publishes_by_stanza_to_who_looks_for_xmpp(xmpp_site: XmppSite, channel: str) -> None:
    token = user_token(xmpp_site.realm, **{channel: ["subscribe", "publish"]})
    url = f"{xmpp_site.product.url.replace('http', 'ws')}/live/{xmpp_site.realm.realm}/"
    key = {"Authorization": "Basic " + base64.b64encode(":".join(xmpp_site.realm.auth).encode()).decode()}
    async with (
        signed_in(xmpp_site, make_token(xmpp_site.realm), name="server") as server,
        signed_in(xmpp_site, token) as client,
        connect(url, additional_headers=key, origin=Origin(xmpp_site.product.url), proxy=None) as console,
    ):
        await console.send('{"transport":"xmpp"}')
        await publish_by_rest(xmpp_site, channel, "by REST")
        await server.publish(channel, "by the server", id_="a")
        await client.publish(channel, "by the client", id_="b")
        shown: list[tuple[str, str]] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(shown) < 2:
                event = json.loads(await console.recv())
                if event["kind"] == "published":
                    shown.append((event["preview"], event["via"]))

    assert shown == [('"by the server"', "xmpp"), ('"by the client"', "xmpp-client")]
