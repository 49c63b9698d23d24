"""Channels as PubSub nodes: what the requests of XEP-0060 do, through hub, broker and publisher as everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from fanoutcloud.broker.base import Broker, HistoryWindow, ItemPublisher
from fanoutcloud.core.access import ANONYMOUS
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import FanoutError, Unavailable
from fanoutcloud.core.items import Item
from fanoutcloud.core.jids import Jid, find_jid
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.reads import DeliveryReads
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.core.xmpp_subscriptions import KeptSubscription
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.client_publishing import ClientItem, publish_for
from fanoutcloud.xmpp import pubsub
from fanoutcloud.xmpp.access import Access, Rights
from fanoutcloud.xmpp.addresses import Node
from fanoutcloud.xmpp.forms import FormResult
from fanoutcloud.xmpp.json_text import JSON, to_ascii
from fanoutcloud.xmpp.sessions import (
    MAX_SUBSCRIPTIONS_PER_JID,
    MAX_SUBSCRIPTIONS_PER_SESSION,
    Session,
    SessionCounts,
    XmppSubscriber,
)
from fanoutcloud.xmpp.stanzas import StanzaError, pubsub_error, result_of, to_stanza_error
from fanoutcloud.xmpp.wire import STREAM, item_id
from fanoutcloud.xmpp.wires import Wires

#: Items that somebody catches up with, and is told the times of.
_MAX_TIMES = 1_000


class NodeSettings(Protocol):
    """Reads and changes what holds for one channel: the realm's rule of that exact name."""

    async def read(self, rights: Rights, node: Node) -> Element:
        """Return the node's configuration as a form."""

    async def change(self, rights: Rights, node: Node, form: FormResult, *, asker: Jid) -> None:
        """Change the rule. Raises `StanzaError` or `FanoutError`: nothing was changed."""


@dataclass(frozen=True, slots=True)
class ChannelParts:
    """What channels need of the process. Without `settings`, nodes can't be configured."""

    hub: Hub
    broker: Broker
    reads: DeliveryReads
    publisher: ItemPublisher
    clock: Clock
    settings: NodeSettings | None = None


class Channels:
    """Does what one session asks; one request of a session at a time."""

    def __init__(self, parts: ChannelParts, access: Access, wires: Wires) -> None:
        self._hub = parts.hub
        self._parts = parts
        self._access = access
        self._wires = wires
        self.counts = SessionCounts()

    async def answer(self, session: Session, iq: Element, payload: Element) -> Element | None:
        """Do what a request asks; return the answer, or None where it was sent already.

        Raises:
            StanzaError: it can't be done, and nothing was.
        """
        action = pubsub.parse_request(iq, payload, session.jid)
        try:
            match action:
                case pubsub.Publish():
                    return result_of(iq, await self._publish(session, action))
                case pubsub.Subscribe():
                    return await self._subscribe(session, action, iq)
                case pubsub.Unsubscribe():
                    return result_of(iq, *self._unsubscribe(session, action))
                case pubsub.GetItems():
                    return result_of(iq, await self._get_items(session, action))
                case pubsub.GetSubscriptions():
                    return result_of(iq, self._get_subscriptions(session, action))
                case pubsub.GetAffiliations():
                    return result_of(iq, await self._get_affiliations(session, action))
                case pubsub.GetConfiguration() | pubsub.Configure():
                    return result_of(iq, *await self._configure(session, action))
        except FanoutError as error:
            if action.node is not None:
                self._hub.tell_refused(action.node.realm, error, str(session.jid))
            raise to_stanza_error(error) from None

    # -- publish

    async def _publish(self, session: Session, action: pubsub.Publish) -> Element:
        node = action.node
        rights = await self._access.find_rights(session, node.realm)
        self._access.check(rights, "publish", node)
        if rights.is_admin:
            item = Item(node.channel, id=action.item_id, json_object=action.json)
            [result] = await self._parts.publisher.publish_items(rights.realm, [item], via="xmpp")
            position = result.position
            return pubsub.published(node, action.item_id or (str(position.offset) if position else ""))
        wanted = ClientItem(node.channel, msgspec.Raw(action.json), action.item_id)
        author = rights.grant.user or str(session.jid.bare)
        told = await publish_for(self._hub, rights.grant, rights.realm, wanted, author=author, via="xmpp-client")
        return pubsub.published(node, action.item_id or _offset_of(told))

    # -- subscribe

    async def _subscribe(self, session: Session, action: pubsub.Subscribe, iq: Element) -> Element | None:
        node = action.node
        rights = await self._access.find_rights(session, node.realm)
        self._access.check(rights, "subscribe", node)
        if not action.jid.is_full and rights.grant.jid and session.find_bare is not None:
            session, asker = session.find_bare(), session  # an admin's, which outlives the session
        else:
            asker = session
        subscriber = session.subscribers.get(node.realm)
        if subscriber is not None and node.channel in subscriber.channels:
            return result_of(iq, _subscribed(node, action.jid, None))
        self._check_room(session)
        subscriber = await self._admit(session, rights, node.channel)
        if action.since is not None:
            subscriber.times |= await self._find_times(node, action.since)

        def begun(position: StreamPosition, recovered: bool) -> None:  # noqa: FBT001 - as `Begun`
            is_lost = action.since is not None and not recovered
            asker.outlet.send(result_of(iq, _subscribed(node, action.jid, position, is_lost=is_lost)))

        subscriber.asked_as[node.channel] = action.jid
        subscriber.expect(node.channel, begun)
        await self.begin(subscriber, node.channel, action.since)
        return None

    async def go_on(self, session: Session, kept: KeptSubscription) -> None:
        """Go on with a subscription that this process has not, from where it was.

        Raises:
            StanzaError: it may not be any more; or, of type `wait`, it can't be now.
            FanoutError: the broker does not answer, or the realm has reached a limit.
        """
        node = Node(kept.name.realm, kept.name.channel)
        subscriber = session.subscribers.get(node.realm)
        if subscriber is not None and node.channel in subscriber.channels:
            return
        rights = await self._access.find_rights(session, node.realm)
        self._access.check(rights, "subscribe", node)
        subscriber = await self._admit(session, rights, node.channel)
        subscriber.asked_as[node.channel] = find_jid(kept.asked_as) or session.jid
        await self.begin(subscriber, node.channel, kept.position, is_new=False)

    async def receive(
        self, session: Session, rights: Rights, channel: ChannelName, since: StreamPosition | None
    ) -> None:
        """Bring an address that the realm has added to a channel.

        Raises:
            StanzaError: it was ended while it began.
            FanoutError: the broker does not answer, or the realm has reached a limit.
        """
        subscriber = await self._admit(session, rights, channel)
        await self.begin(subscriber, channel, since, is_new=False)

    async def begin(
        self, subscriber: XmppSubscriber, channel: ChannelName, since: StreamPosition | None, *, is_new: bool = True
    ) -> None:
        """Bring a subscriber to a channel.

        Raises:
            StanzaError: it could not be, or may be there no more.
            Unavailable: the broker does not answer.
        """
        try:
            await self._hub.join(subscriber, [(channel, since)])
        except FanoutError:
            subscriber.give_up(channel)
            subscriber.part_with(channel, is_over=is_new)
            raise
        subscriber.settle(channel)
        if subscriber.give_up(channel):
            raise StanzaError("not-authorized", "the subscription was ended while it began; sign in again")
        self._hub.tell_connected(subscriber)

    def _check_room(self, session: Session) -> None:
        for number, limit, whose in (
            (session.count_subscriptions(), MAX_SUBSCRIPTIONS_PER_SESSION, "session"),
            (self.counts.of(session.jid), MAX_SUBSCRIPTIONS_PER_JID, "address"),
        ):
            if number >= limit:
                text = f"one {whose} may have {limit:,} subscriptions; unsubscribe from others"
                raise pubsub_error("policy-violation", "too-many-subscriptions", text)

    async def _admit(self, session: Session, rights: Rights, channel: ChannelName) -> XmppSubscriber:
        """Return the session's subscriber in a realm, a new one if it has none."""
        hub, realm = self._hub, rights.realm
        subscriber = session.subscribers.get(realm.realm)
        if subscriber is not None:
            await hub.ledger.admit_channels(realm.realm, [channel], hub.channels)
            if subscriber.grant != rights.grant:
                hub.set_grant(subscriber, rights.grant)
            return subscriber
        await hub.ledger.admit(realm, [channel], hub.channels)
        return self.make_subscriber(session, rights)

    def make_subscriber(self, session: Session, rights: Rights) -> XmppSubscriber:
        """Return a new subscriber of a session, registered; the realm was asked before whether it may have one more."""
        realm = rights.realm.realm
        if session.is_receiver:
            wire = self._wires.for_receivers(realm)
        else:
            wire = self._wires.of(realm, is_joinable=session.outlet.takes_several)
        subscriber = XmppSubscriber(rights.realm.realm, wire, session, self._hub)
        subscriber.grant = rights.grant
        session.subscribers[rights.realm.realm] = subscriber
        self._hub.register(subscriber)
        return subscriber

    async def _find_times(self, node: Node, since: StreamPosition) -> dict[StreamPosition, float]:
        window = HistoryWindow(after=since, limit=_MAX_TIMES)
        history = await self._parts.broker.read_history(node.realm, node.channel, window)
        return {} if history.is_other_epoch else {kept.position: kept.published_at for kept in history.items}

    def _unsubscribe(self, session: Session, action: pubsub.Unsubscribe) -> Sequence[Element]:
        if not action.jid.is_full and session.find_bare is not None:
            bare = session.find_bare().subscribers.get(action.node.realm)
            if bare is not None and bare.part_with(action.node.channel):
                return ()
        subscriber = session.subscribers.get(action.node.realm)
        if subscriber is None or not subscriber.part_with(action.node.channel):
            text = f"{action.jid} is not subscribed to {str(action.node)[:100]!r}"
            raise pubsub_error("unexpected-request", "not-subscribed", text)
        return ()

    # -- reading

    async def _get_items(self, session: Session, action: pubsub.GetItems) -> Element:
        node = action.node
        rights = await self._access.find_rights(session, node.realm)
        self._access.check(rights, "history", node)
        limit = pubsub.MAX_PAGE_ITEMS if action.item_ids else max(1, action.limit)
        page = await self._parts.reads.history(
            node.realm, node.channel, after=action.after, before=action.before, limit=limit
        )
        if page.lost is not None and (action.after is not None or action.before is not None):
            raise StanzaError("item-not-found", "what is behind this position is kept no more; begin anew without it")
        kept = page.items if action.after is not None else page.items[::-1]
        found = [StoredItem(one.position, one.item) for one in kept][: action.limit or 0]
        if action.item_ids:
            found = [one for one in found if item_id(one) in action.item_ids]
        items = Element("items", pubsub.PUBSUB, {"node": str(node)})
        items.children.extend(_write_item(one) for one in found if one.item.json_object is not None)
        marks = (
            pubsub.page_marks(str(found[0].position), str(found[-1].position))
            if found
            else pubsub.page_marks(None, None)
        )
        return Element("pubsub", pubsub.PUBSUB, None, items, marks)

    def _get_subscriptions(self, session: Session, action: pubsub.GetSubscriptions) -> Element:
        subscriptions = Element("subscriptions", pubsub.PUBSUB)
        if action.node is not None:
            subscriptions.attributes["node"] = str(action.node)
        bare = () if session.find_bare is None else session.find_bare().subscriptions
        for subscriber, channel in (*session.subscriptions, *bare):
            node = Node(subscriber.realm, channel)
            if action.node in (None, node):
                jid = subscriber.asked_as.get(channel, session.jid)
                subscriptions.children.append(pubsub.subscription(node, jid))
        return Element("pubsub", pubsub.PUBSUB, None, subscriptions)

    async def _get_affiliations(self, session: Session, action: pubsub.GetAffiliations) -> Element:
        nodes = [Node(one.realm, channel) for one, channel in session.subscriptions] if action.node is None else []
        if action.node is not None:
            self._access.check(await self._access.find_rights(session, action.node.realm), "subscribe", action.node)
            nodes = [action.node]
        affiliations = Element("affiliations", pubsub.PUBSUB)
        for node in nodes:
            rights = await self._access.find_rights(session, node.realm)
            kind = "owner" if rights.is_admin else "none" if rights.grant is ANONYMOUS else "member"
            affiliations.children.append(
                Element("affiliation", pubsub.PUBSUB, {"node": str(node), "affiliation": kind})
            )
        return Element("pubsub", pubsub.PUBSUB, None, affiliations)

    async def _configure(
        self, session: Session, action: pubsub.GetConfiguration | pubsub.Configure
    ) -> Sequence[Element]:
        rights = await self._access.find_rights(session, action.node.realm)
        self._access.check_admin(rights, action.node)
        if self._parts.settings is None:
            raise Unavailable("this process can't change rules")
        if isinstance(action, pubsub.GetConfiguration):
            form = await self._parts.settings.read(rights, action.node)
            configure = Element("configure", pubsub.OWNER, {"node": str(action.node)}, form)
            return [Element("pubsub", pubsub.OWNER, None, configure)]
        if action.form.type == "submit":
            await self._parts.settings.change(rights, action.node, action.form, asker=session.jid)
        return ()

    # -- discovery

    async def find_channel(self, session: Session, node: Node) -> tuple[int | None, bool]:
        """Return what a channel's meta-data say: its subscribers, for admins only, and whether it is public."""
        rights = await self._access.find_rights(session, node.realm)
        self._access.check(rights, "subscribe", node)
        is_public = rights.realm.rules.find(node.channel).access == "public"
        if not rights.is_admin:
            return None, is_public
        return (await self._parts.reads.channel_info(node.realm, node.channel)).subscribers, is_public


class _Told(msgspec.Struct):
    position: str | None


_told_decoder = msgspec.json.Decoder(_Told)


def _offset_of(told: bytes) -> str:
    """Return the number of an item that a client has published, out of the message that WebSockets are sent."""
    return (_told_decoder.decode(told).position or "").rpartition(":")[2]


def _write_item(stored: StoredItem) -> Element:
    json = Element("json", JSON, None, to_ascii(stored.item.json_object or b"null"))
    return Element("item", pubsub.PUBSUB, {"id": item_id(stored)}, json)


def _subscribed(node: Node, jid: Jid, position: StreamPosition | None, *, is_lost: bool = False) -> Element:
    """Return the result of a subscription: where it begins, and whether items before that were lost."""
    answer = Element("pubsub", pubsub.PUBSUB, None, pubsub.subscription(node, jid))
    if position is not None:
        answer.children.append(Element("reset" if is_lost else "stream", STREAM, {"position": str(position)}))
    return answer
