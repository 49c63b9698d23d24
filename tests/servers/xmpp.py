"""XMPP for tests: slixmpp as a customer's program uses it, and tokens to sign in with."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import jwt
from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError, IqTimeout

from tests.servers.product import Product, ProductRealm
from tests.servers.prosody import Prosody

#: No test waits longer than this for something that should happen.
PATIENCE_S = 15.0
PUBSUB = "http://jabber.org/protocol/pubsub"
EVENT = f"{PUBSUB}#event"
JSON = "urn:xmpp:json:0"
SINCE = "fanout#since"


@dataclass(frozen=True, slots=True)
class XmppSite:
    """Where clients connect to: one door of a running product, with two realms of it."""

    product: Product
    realm: ProductRealm
    foreign: ProductRealm  # another owner's
    port: int
    domain: str
    certificate: Path
    prosody: Prosody | None = None
    elsewhere: Path | None = None  # the certificate of a host of strangers, if the door has one

    @property
    def pubsub(self) -> str:
        return f"pubsub.{self.domain}"

    @property
    def admin(self) -> str:
        return f"admin-{self.realm.realm}@api.{self.domain}"

    def node(self, channel: str, realm: str | None = None) -> str:
        return f"/{realm or self.realm.realm}/{channel}"

    def account(self, name: str = "kiosk") -> str:
        return f"{self.realm.realm}.{name}@{self.domain}"


def make_token(realm: ProductRealm, *, lifetime_s: float = 600, **claims: object) -> str:
    """Return a token of the realm: a subscriber's with claims, else one of the customer's own server."""
    body = {"iss": realm.realm, "exp": int(time.time() + lifetime_s), **claims}
    return jwt.encode(body, base64.b64decode(realm.key), "HS256")


def user_token(realm: ProductRealm, user: str = "kiosk", *, lifetime_s: float = 600, **capabilities: list[str]) -> str:
    """Return a token of a user that may subscribe to everything, or what `capabilities` say by pattern."""
    channels = capabilities or {"*": ["subscribe", "history"]}
    return make_token(realm, lifetime_s=lifetime_s, sub=user, channels=channels)


class SignInFailed(Exception):
    """The server did not take the password."""


class XmppClient(ClientXMPP):  # type: ignore[misc]  # slixmpp is typed in part
    """One client. `items` are what it was notified of, as (node, id, JSON, position)."""

    def __init__(self, site: XmppSite, jid: str, password: str, *, resource: str = "") -> None:
        super().__init__(f"{jid}/{resource}" if resource else jid, password)
        for name in ("xep_0004", "xep_0030", "xep_0050", "xep_0059", "xep_0060", "xep_0199"):
            self.register_plugin(name)
        self.site = site
        self.ca_certs = str(site.certificate)
        self.enable_direct_tls = False
        self.items: asyncio.Queue[tuple[str, str, Any, str]] = asyncio.Queue()
        self.notices: asyncio.Queue[Element] = asyncio.Queue()
        self.chats: asyncio.Queue[Any] = asyncio.Queue()
        self.is_over = asyncio.Event()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", lambda _: self._settle(None))
        self.add_event_handler("failed_all_auth", lambda _: self._settle(SignInFailed()))
        self.add_event_handler("disconnected", lambda _: self.is_over.set())
        self.add_event_handler("message", self._on_message)
        for name in ("pubsub_publish", "pubsub_subscription"):
            self.add_event_handler(name, self._on_event)

    async def leave(self) -> None:
        """Sign out; nothing of the client is left on the loop."""
        if not self.is_over.is_set() and self.transport is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.disconnect(wait=0.2)
        self.abort()
        ours = [task for task in asyncio.all_tasks() if "slixmpp" in task.get_coro().cr_code.co_filename]
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)

    def _settle(self, error: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_exception(error) if error else self._ready.set_result(None)

    async def sign_in(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            self.connect("127.0.0.1", self.site.port)
            await self._ready

    def _on_message(self, message: Any) -> None:
        if message["type"] in ("chat", "normal"):
            self.chats.put_nowait(message)

    def _on_event(self, message: Any) -> None:
        items = message.xml.find(f"{{{EVENT}}}event/{{{EVENT}}}items")
        item = None if items is None else items.find(f"{{{EVENT}}}item")
        if items is None or item is None:
            self.notices.put_nowait(message.xml)
            return
        [json_element] = list(item)
        position = message.xml.find("{urn:xmpp:sid:0}stanza-id").get("id")
        self.items.put_nowait((items.get("node"), item.get("id"), json.loads(json_element.text), position))

    async def next(self) -> tuple[str, str, Any, str]:
        async with asyncio.timeout(PATIENCE_S):
            return await self.items.get()

    async def data(self, count: int = 1) -> list[Any]:
        """Return the JSON of the next items."""
        return [(await self.next())[2] for _ in range(count)]

    async def notice(self) -> Element:
        async with asyncio.timeout(PATIENCE_S):
            return await self.notices.get()

    # -- PubSub

    async def ask(self, payload: str, *, to: str | None = None, type_: str = "get") -> Element:
        """Send an IQ with a payload, and return the answer's element. Raises IqError."""
        iq = self.make_iq(ito=to or self.site.pubsub, itype=type_)
        iq.append(fromstring(payload))
        answer = await iq.send(timeout=PATIENCE_S)
        found: Element = answer.xml
        return found

    async def subscribe(self, channel: str, *, since: str = "", realm: str | None = None, jid: str = "") -> Element:
        node, jid = self.site.node(channel, realm), jid or str(self.boundjid)
        options = "" if not since else (
            f"<options node='{node}' jid='{jid}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' "
            f"type='hidden'><value>{PUBSUB}#subscribe_options</value></field>"
            f"<field var='{SINCE}'><value>{since}</value></field></x></options>"
        )  # fmt: skip
        payload = f"<pubsub xmlns='{PUBSUB}'><subscribe node='{node}' jid='{jid}'/>{options}</pubsub>"
        return await self.ask(payload, type_="set")

    async def publish(self, channel: str, value: object, *, id_: str = "", realm: str | None = None) -> str:
        """Publish JSON; return the id in the answer."""
        element = fromstring(f"<json xmlns='{JSON}'/>")
        element.text = json.dumps(value, ensure_ascii=False)
        answer = await self.plugin["xep_0060"].publish(
            self.site.pubsub, self.site.node(channel, realm), id=id_ or None, payload=element, timeout=PATIENCE_S
        )
        found: str = answer.xml.find(f".//{{{PUBSUB}}}item").get("id")
        return found


def condition_of(error: IqError) -> tuple[str, str]:
    """Return condition and text of an error; every error has a text."""
    text = error.iq["error"]["text"]
    assert text, error.iq
    return error.iq["error"]["condition"], text


async def refusal(work: Any) -> tuple[str, str]:
    """Return condition and text of the error that `work` must end with."""
    try:
        await work
    except IqError as error:
        return condition_of(error)
    except IqTimeout:
        raise AssertionError("nothing was answered") from None
    raise AssertionError("it was not refused")


@contextlib.asynccontextmanager
async def signed_in(
    site: XmppSite, password: str | None = None, *, name: str = "kiosk", jid: str | None = None, resource: str = ""
) -> AsyncIterator[XmppClient]:
    """Yield a client of the realm's account `name`; without a `password` its token may subscribe to everything."""
    token = user_token(site.realm, name) if password is None else password
    client = XmppClient(site, jid or site.account(name), token, resource=resource)
    try:
        await client.sign_in()
        yield client
    finally:
        await client.leave()
