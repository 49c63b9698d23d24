"""Stanzas to a realm, answered by its web application, at every door."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from tests.contracts.test_xmpp_commands import do
from tests.servers.stanza_application import StanzaApplication, stanza_application
from tests.servers.xmpp import PATIENCE_S, XmppClient, XmppSite, make_token, refusal, signed_in

ASK = "<query xmlns='urn:example:ask'/>"


@contextlib.asynccontextmanager
async def application(site: XmppSite) -> AsyncIterator[StanzaApplication]:
    """Yield the application that the realm's stanzas are posted to; afterwards they are posted nowhere."""
    with stanza_application() as app:
        async with signed_in(site, make_token(site.realm), name="server") as server:
            await do(server, "stanza-url-set", site.admin, url=app.url)
        yield app
        async with signed_in(site, make_token(site.realm), name="server") as server:
            await do(server, "stanza-url-set", site.admin)


def bot(site: XmppSite, name: str = ".bot") -> str:
    return f"{site.realm.realm}{name}@stanza.{site.domain}"


async def chat(client: XmppClient, to: str, text: str) -> Any:
    client.send_message(mto=to, mbody=text, mtype="chat")
    async with asyncio.timeout(PATIENCE_S):
        return await client.chats.get()


async def test_an_application_answers_messages_presence_and_questions(xmpp_site: XmppSite) -> None:
    async with application(xmpp_site) as app, signed_in(xmpp_site) as client:
        answers = [await chat(client, bot(xmpp_site, name), "Grüße & <b>") for name in (".bot", "")]
        result = await client.ask(ASK, to=bot(xmpp_site))
        unanswered = await refusal(client.ask("<query xmlns='urn:example:other'/>", to=bot(xmpp_site)))
        app.answer = "<message from='[to]' to='[from]' type='chat'><body>1</body></message>\n" * 2
        several = [(await chat(client, bot(xmpp_site), "twice"))["body"], (await client.chats.get())["body"]]
        client.send_presence(pto=bot(xmpp_site))
        async with asyncio.timeout(PATIENCE_S):
            while not app.posted[-1].stanza.tag.endswith("presence"):  # noqa: ASYNC110 - of a server in a thread
                await asyncio.sleep(0.02)
        first = app.posted[0]

    assert [(one["body"], str(one["from"])) for one in answers] == [
        ("echo: Grüße & <b>", bot(xmpp_site, name)) for name in (".bot", "")
    ]
    assert result.find("{urn:example:ask}query/{urn:example:ask}answer") is not None
    assert unanswered[0] == "service-unavailable"
    assert several == ["1", "1"]
    assert first.path == f"/xmpp/{bot(xmpp_site)}"
    assert first.headers["content-type"] == "application/xmpp+xml; charset=utf-8"
    assert first.headers["fanout-realm"] == xmpp_site.realm.realm
    assert jwt.decode(first.headers["grip-sig"], options={"verify_signature": False})["iss"] == xmpp_site.realm.realm
    assert first.stanza.get("from", "").startswith(f"{xmpp_site.account()}/")
    assert first.stanza.get("to") == bot(xmpp_site)


REFUSED = {
    "another's address": "<message from='boss@bank.example' to='[from]'><body>x</body></message>",
    "another realm": "<message from='FOREIGN@stanza.DOMAIN' to='[from]'><body>x</body></message>",
    "the service": "<message from='pubsub.DOMAIN' to='[from]'><body>x</body></message>",
    "a stranger": "<message from='[to]' to='FOREIGN.kiosk@DOMAIN'><body>x</body></message>",
    "one bad among good": "<message from='[to]' to='[from]'><body>x</body></message>\n<message",
    "an entity": "<!DOCTYPE m [<!ENTITY a 'b'>]><message from='[to]' to='[from]'><body>&a;</body></message>",
    "an error": "<message from='[to]' to='[from]' type='error'/>",
    "a forged copy": "<message from='[to]' to='[from]'><sent xmlns='urn:xmpp:carbons:2'/></message>",
    "an answer to nothing": "<iq from='[to]' to='[from]' type='result' id='no'/>",
}


async def test_what_an_application_may_not_send_is_not_sent_and_the_connection_stays(xmpp_site: XmppSite) -> None:
    async with application(xmpp_site) as app, signed_in(xmpp_site) as client:
        for name, answer in REFUSED.items():
            app.answer = answer.replace("FOREIGN", xmpp_site.foreign.realm).replace("DOMAIN", xmpp_site.domain)
            assert (await refusal(client.ask(ASK, to=bot(xmpp_site))))[0] == "service-unavailable", name
        app.answer, app.status = "", 500
        assert (await refusal(client.ask(ASK, to=bot(xmpp_site))))[0] == "service-unavailable"
        app.answer, app.status = None, 200
        assert (await chat(client, bot(xmpp_site), "still there"))["body"] == "echo: still there"

    assert client.chats.empty()


async def test_without_an_application_a_realm_looks_like_none(xmpp_site: XmppSite) -> None:
    async with signed_in(xmpp_site) as client:
        foreign, missing = [
            await refusal(client.ask(ASK, to=f"{realm}.bot@stanza.{xmpp_site.domain}"))
            for realm in (xmpp_site.foreign.realm, "ffffffff")
        ]

    assert foreign == missing
    assert foreign[0] == "service-unavailable"


async def test_a_slow_application_holds_up_nobody_else(xmpp_site: XmppSite) -> None:
    async with (
        application(xmpp_site) as app,
        signed_in(xmpp_site, name="a") as slow,
        signed_in(xmpp_site, name="b") as quick,
    ):
        app.wait_s = 3.0
        waiting = asyncio.create_task(slow.ask(ASK, to=bot(xmpp_site)))
        while not app.posted:  # noqa: ASYNC110 - of a server in a thread
            await asyncio.sleep(0.02)
        await quick.plugin["xep_0199"].send_ping(xmpp_site.pubsub, timeout=2.5)
        was_done = waiting.done()
        await waiting

    assert not was_done


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.org/", "http://user:password@example.org/"])
async def test_a_url_that_can_not_be_called_is_refused(xmpp_site: XmppSite, url: str) -> None:
    async with signed_in(xmpp_site, make_token(xmpp_site.realm), name="server") as server:
        assert (await refusal(do(server, "stanza-url-set", xmpp_site.admin, url=url)))[0] == "bad-request"
