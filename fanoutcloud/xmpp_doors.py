"""The XMPP gateway of one process, put together, with the doors that the settings ask for. Composition only.

Imported by `fanoutcloud.plane` where XMPP is on, and not otherwise.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import LazySettings

from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_xmpp import RedisSubscriptionStore
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.stanza_format import write_stanza
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.core.xmpp_subscriptions import MemorySubscriptionStore, SubscriptionStore
from fanoutcloud.xmpp.access import Access
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.channel_list import ChannelList
from fanoutcloud.xmpp.channels import ChannelParts, Channels
from fanoutcloud.xmpp.commands import CommandService
from fanoutcloud.xmpp.component import ComponentDoor
from fanoutcloud.xmpp.gateway import Gateway, PubsubService, ServerService
from fanoutcloud.xmpp.keeping import Keeper
from fanoutcloud.xmpp.listener import Listener, ListenerSettings
from fanoutcloud.xmpp.node_settings import BookNodeSettings
from fanoutcloud.xmpp.receivers import Receivers
from fanoutcloud.xmpp.sign_in import SignInEndpoint
from fanoutcloud.xmpp.stanza_origin import OriginParts, StanzaOrigin
from fanoutcloud.xmpp.stanza_service import StanzaService
from fanoutcloud.xmpp.wires import Wires
from fanoutcloud.xmpp_certificate import make_tls
from fanoutcloud.xmpp_settings import XmppSettings
from publishing.xmpp_commands import XmppCommands
from realms.receiver_book import DatabaseReceiverBook

if TYPE_CHECKING:
    from fanoutcloud.plane import Plane


class XmppDoors:
    """Gateway and doors. `start` within the plane's, `run` beside its other tasks, `stop` before its broker closes."""

    def __init__(self, plane: "Plane", settings: LazySettings) -> None:
        self._plane = plane
        self._settings: XmppSettings = settings.XMPP
        self._data_dir: Path = settings.DATA_DIR
        domains = Domains(self._settings.domain)
        access = Access(plane.directory, plane.hub.gate, plane.quotas.failures, self._check_key)
        book = XmppCommands(plane)
        settings_of_nodes = BookNodeSettings(book)
        parts = ChannelParts(
            plane.hub, plane.broker, plane.reads, plane.publisher, plane.clock, settings=settings_of_nodes
        )
        channels = Channels(parts, access, Wires(domains, self._find_stanza, self._find_receivers_stanza))
        self.gateway = Gateway(domains, access, channels, plane.hub)
        self._receivers = Receivers(
            channels, plane.hub, plane.directory, DatabaseReceiverBook(), self.gateway.asked, domains
        )
        self.gateway.services[domains.pubsub] = PubsubService(
            channels, ChannelList(access, plane.reads, domains, book.list_realms).list
        )
        self.gateway.services[domains.api] = CommandService(book, access, domains, plane.clock, plane.happenings)
        origin = StanzaOrigin(self._origin_parts(plane), domains)
        self.gateway.services[domains.stanza] = StanzaService(self.gateway, self._receivers, origin)
        self._listener: Listener | None = None
        self._component: ComponentDoor | None = None
        self.sign_in: SignInEndpoint | None = None
        if self._settings.server is not None:
            self._make_component(plane, self._settings.server)

    def _origin_parts(self, plane: "Plane") -> OriginParts:
        passing_on = plane.passing_on
        return OriginParts(
            client=passing_on.way_out.client,
            rules=passing_on.rules,
            sign=lambda realm: passing_on.signer.sign(realm, realm.domains[0]),
            activity=plane.happenings,
            clock=plane.clock,
        )

    def _make_component(self, plane: "Plane", server: tuple[str, int]) -> None:
        domains, secret = self.gateway.domains, self._settings.secret
        receivers = self._receivers
        receivers.keeper = Keeper(plane.hub, self._make_store(plane, f"{domains.main}/receivers"), receivers.sessions)
        self._component = component = ComponentDoor(
            self.gateway, plane.hub, self._make_store(plane, domains.main), receivers, server=server, secret=secret
        )
        receivers.ways.append(component)
        receivers.is_up = lambda: component.is_delivering
        self.sign_in = SignInEndpoint(self.gateway.access, domains, secret, self._component.tokens)

    def _make_store(self, plane: "Plane", name: str) -> SubscriptionStore:
        if isinstance(plane.broker, RedisBroker):
            return RedisSubscriptionStore(plane.broker.connection_for, name)
        return MemorySubscriptionStore()

    def realm_changed(self, realm: RealmId) -> None:
        """Know that a realm has changed, or is there no more."""
        self._receivers.realm_changed(realm)

    def _find_stanza(self, realm: RealmId, stored: StoredItem) -> bytes | None:
        """Return the stanza that an item brings to all, where its realm has stanzas sent to subscribers."""
        stanza, snapshot = stored.item.xmpp_stanza, self._plane.directory.find_cached(realm)
        if stanza is None or stanza.to or snapshot is None or not snapshot.xmpp.sends_stanzas:
            return None
        return write_stanza(stanza, sender=self.gateway.domains.sender_of(realm))

    def _find_receivers_stanza(self, realm: RealmId, stored: StoredItem) -> bytes | None:
        """Return the stanza that an item brings to those whom its realm has added, or to the one that it names."""
        stanza = stored.item.xmpp_stanza
        return None if stanza is None else write_stanza(stanza, sender=self.gateway.domains.sender_of(realm))

    async def _check_key(self, realm: RealmId, token: str) -> str:
        _, key = await self._plane.authenticator.authenticate(realm, f"Bearer {token}".encode())
        return key.key_id

    async def start(self) -> None:
        """Open the doors.

        Raises:
            Unavailable: a port can't be had, or the certificate can't be used.
        """
        settings = self._settings
        if not (settings.port or settings.tls_port):
            return
        domains = self.gateway.domains
        server = ServerService(domains)
        self.gateway.services |= {domains.main: server, domains.guest: server}
        try:
            tls = await asyncio.to_thread(make_tls, settings, data_dir=self._data_dir)
            self._listener = Listener(
                self.gateway,
                ListenerSettings(
                    host=settings.host,
                    port=settings.port,
                    tls_port=settings.tls_port,
                    requires_tls=settings.requires_tls,
                    tls=tls,
                    limits=self._plane.limits,
                ),
            )
            await self._listener.start()
            self._receivers.ways.insert(0, self._listener)
        except OSError as error:  # ssl.SSLError is one
            raise Unavailable(
                f"XMPP can't be listened to on port {settings.port or settings.tls_port}: {error}"
            ) from None

    async def run(self) -> None:
        """Look after the doors until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._listener is not None:
                tasks.create_task(self._listener.run())
            if self._component is not None:
                tasks.create_task(self._component.run())
            tasks.create_task(self._receivers.run())

    async def stop(self) -> None:
        """Close the doors."""
        if self._component is not None:
            await self._component.stop()
        if self._listener is not None:
            await self._listener.stop()
