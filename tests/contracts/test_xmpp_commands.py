"""Commands with forms and as a chat, at every door."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.servers.listening import listen
from tests.servers.xmpp import PATIENCE_S, PUBSUB, XmppClient, XmppSite, make_token, refusal, signed_in

COMMANDS = "http://jabber.org/protocol/commands"


def form(**values: str) -> str:
    fields = "".join(
        f"<field var='{name.replace('_', '-')}'><value>{value}</value></field>" for name, value in values.items()
    )
    return f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"


async def do(client: XmppClient, node: str, to: str, /, *, session: str = "", **values: str) -> list[str]:
    """Do a command with its form; return the lines of its note."""
    extra = f" sessionid='{session}'" if session else ""
    payload = f"<command xmlns='{COMMANDS}' node='{node}' action='execute'{extra}>{form(**values)}</command>"
    answer = await client.ask(payload, to=to, type_="set")
    command = answer.find(f"{{{COMMANDS}}}command")
    assert command is not None
    assert command.get("status") == "completed"
    note = command.find(f"{{{COMMANDS}}}note")
    assert note is not None
    return (note.text or "").splitlines()


@contextlib.asynccontextmanager
async def chatting(
    site: XmppSite, token: str | None = None, *, name: str = "ops"
) -> AsyncIterator[tuple[XmppClient, Any]]:
    """Yield a client and what says a line to the realm's address and returns the answer's lines."""
    async with signed_in(site, token, name=name) as client:

        async def say(line: str) -> list[str]:
            client.send_message(mto=site.admin, mbody=line, mtype="chat")
            async with asyncio.timeout(PATIENCE_S):
                answer = await client.chats.get()
            return str(answer["body"]).splitlines()

        yield client, say


async def test_a_command_streams_data_to_http_clients(xmpp_site: XmppSite, channel: str) -> None:
    with contextlib.ExitStack() as stack:
        listener = await asyncio.to_thread(stack.enter_context, listen(xmpp_site.realm.site, channel))
        async with signed_in(xmpp_site, make_token(xmpp_site.realm), name="server") as client:
            [told] = await do(client, "publish", xmpp_site.admin, channel=channel, json_object='{"open":true}')

        assert await asyncio.to_thread(listener.take) == [{"open": True}]
    assert told == "Published: offset 1"


async def test_a_person_gets_the_form_first_and_nobody_else_goes_on_with_it(xmpp_site: XmppSite, channel: str) -> None:
    token = make_token(xmpp_site.realm)
    execute = f"<command xmlns='{COMMANDS}' node='publish' action='execute'/>"
    async with signed_in(xmpp_site, token, name="a") as a, signed_in(xmpp_site, token, name="b") as b:
        begun = (await a.ask(execute, to=xmpp_site.admin, type_="set")).find(f"{{{COMMANDS}}}command")
        assert begun is not None
        fields = [field.get("var") for field in begun.iter("{jabber:x:data}field")]
        session = begun.get("sessionid") or ""
        foreign = await refusal(do(b, "publish", xmpp_site.admin, session=session, channel=channel, json_object="1"))
        [told] = await do(a, "publish", xmpp_site.admin, session=session, channel=channel, json_object="1")
        again = await refusal(do(a, "publish", xmpp_site.admin, session=session, channel=channel, json_object="1"))

    assert begun.get("status") == "executing"
    assert fields == ["channel", "json-object", "items"]
    assert told == "Published: offset 1"
    assert foreign == again
    assert foreign[0] == "bad-request"


async def test_a_token_puts_the_first_address_on_the_list(xmpp_site: XmppSite, channel: str) -> None:
    """As in the service of old: `admin-add --token TOKEN JID` from an address that nobody knows."""
    ops = xmpp_site.account("ops")
    async with chatting(xmpp_site) as (client, say):
        stranger = await say("admin-list")
        wrong = await say(f"admin-add --token nonsense {ops}")
        added = await say(f"admin-add --token {make_token(xmpp_site.realm)} {ops}")
        listed = await say("admin-list")
        published = await say(f"publish {channel} '{{\"n\": 1}}'")
        await client.publish(channel, 2)
        info = await say(f"info {channel}")
        removed = await say(f"admin-remove {ops}")
        afterwards = await say("admin-list")

    assert "no such realm for you" in stranger[0]
    assert "key of the realm" in wrong[0]
    assert added == [f"{ops} is an admin"]
    assert ops in listed
    assert published == ["Published: offset 1"]
    assert info[1].endswith(":2")
    assert removed == [f"{ops} is no admin any more"]
    assert afterwards == stranger


async def test_every_command_does_what_rest_does(xmpp_site: XmppSite, channel: str) -> None:
    async with chatting(xmpp_site, make_token(xmpp_site.realm), name="server") as (_, say):
        assert any(line.startswith("rule-set PATTERN SETTINGS") for line in await say("help"))
        assert await say(f'rule-set {channel} \'{{"access":"token"}}\'') == [f"the rule of {channel} is set"]
        assert f'{channel} {{"access": "token"}}' in await say("rule-list")
        assert await say(f"rule-remove {channel}") == ["the rule is removed"]
        assert "no such channel rule" in (await say(f"rule-remove {channel}"))[0]
        assert "out of range" in (await say(f"rule-set {channel} '{{\"history_items\":99999999}}'"))[0]
        [key] = await say("key-add --label chat")
        number = key.split()[1].rstrip(":")
        assert any(line.startswith(f"{number}: …") for line in await say("key-list"))
        assert await say(f"key-revoke {number}") == ["the key is revoked"]
        assert await say("origin-set 127.0.0.1 8080") == ["requests are passed on to 127.0.0.1:8080"]
        assert (await say("domain-list"))[0] == "built-in: 127.0.0.1:8080"
        assert len(await say("stats")) == 7
        assert await say("disconnect nobody") == ["0 connections are being ended"]
        assert await say("disconnect --connection 0123456789abcdef") == ["0 connections are being ended"]
        assert "name a user or a connection" in (await say("disconnect"))[0]
        assert "there is no command 'nonsense'" in (await say("nonsense"))[0]
        assert "no closing quotation" in (await say("publish 'x"))[0]


async def test_programs_that_answer_everything_can_not_start_a_loop(xmpp_site: XmppSite) -> None:
    async with chatting(xmpp_site, make_token(xmpp_site.realm), name="server") as (client, say):
        for type_ in ("error", "headline"):
            client.send_message(mto=xmpp_site.admin, mbody="help", mtype=type_)
        client.send_message(mto=xmpp_site.admin, mbody="", mtype="chat")

        assert (await say("admin-list"))[0]
        assert client.chats.empty()


async def test_a_node_is_configured_with_a_form(xmpp_site: XmppSite, channel: str) -> None:
    node = xmpp_site.node(channel)

    def configure(**values: str) -> str:
        fields = "".join(f"<field var='pubsub#{name}'><value>{value}</value></field>" for name, value in values.items())
        x = f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"
        return f"<pubsub xmlns='{PUBSUB}#owner'><configure node='{node}'>{x}</configure></pubsub>"

    async with (
        signed_in(xmpp_site, make_token(xmpp_site.realm), name="server") as client,
        signed_in(xmpp_site, "", jid=f"guest.{xmpp_site.domain}") as guest,
    ):
        await client.ask(configure(max_items="7", access_model="whitelist"), type_="set")
        read = await client.ask(f"<pubsub xmlns='{PUBSUB}#owner'><configure node='{node}'/></pubsub>")
        values = [value.text for value in read.iter("{jabber:x:data}value")]
        unknown = await refusal(client.ask(configure(colour="red"), type_="set"))
        closed = await refusal(guest.subscribe(channel))
        missing = await refusal(guest.subscribe(channel, realm="no-such-realm"))

    assert values[1:4] == ["7", "300", "whitelist"]
    assert unknown[0] == "not-acceptable"
    assert "pubsub#colour" in unknown[1]
    assert closed == missing


@pytest.mark.parametrize("address", ["ops@example.org", "@example.org"])
async def test_the_list_is_kept_over_rest_by_persons_only(xmpp_site: XmppSite, address: str) -> None:
    """A key of the realm can't let in who would stay when the key is revoked; a chat with a token can, as of old."""
    answer = await asyncio.to_thread(
        httpx.post,
        f"{xmpp_site.product.url}/api/v1/realms/{xmpp_site.realm.realm}/xmpp/admins",
        json={"address": address},
        auth=xmpp_site.realm.auth,
        timeout=PATIENCE_S,
        trust_env=False,
    )

    assert answer.status_code == 403
