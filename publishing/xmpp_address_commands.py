"""Commands about XMPP addresses: who may administer a realm, who gets its stanzas, what gets those to it."""

from collections.abc import Mapping

from realms.models import Realm, XmppReceiver, XmppReceiverChannel
from realms.selectors import list_xmpp_admins, list_xmpp_receivers
from realms.services import add_xmpp_admin, add_xmpp_receiver, remove_xmpp_admin, remove_xmpp_receiver
from realms.services.xmpp import clean_address
from realms.services.xmpp import set_stanza_url as keep_stanza_url
from realms.services.xmpp_receivers import clean_receiver
from realms.xmpp_errors import XmppAdminNotFound, XmppReceiverNotFound

Values = Mapping[str, str]
#: Who asks, among the values of a command; no field has this name.
ASKER = "@"


# -- admins


def list_admins(realm: Realm, values: Values) -> list[str]:
    """Tell which addresses administer the realm."""
    return [row.address for row in list_xmpp_admins(realm)] or ["nobody is on the list"]


def add_admin(realm: Realm, values: Values) -> list[str]:
    """Have an address, or all of a domain, administer the realm."""
    row = add_xmpp_admin(realm=realm, address=values["jid"])
    warning = ["everybody on this server may administer the realm now"] if row.address.startswith("@") else []
    return [f"{row.address} is an admin", *warning]


def remove_admin(realm: Realm, values: Values) -> list[str]:
    """Take an address off that list."""
    row = list_xmpp_admins(realm).filter(address=clean_address(values["jid"])).first()
    if row is None:
        raise XmppAdminNotFound
    remove_xmpp_admin(realm=realm, admin_id=row.pk)
    return [f"{row.address} is no admin any more"]


# -- addresses that have not subscribed


def list_receivers(realm: Realm, values: Values) -> list[str]:
    """Tell which addresses were added as subscribers."""
    rows = list_xmpp_receivers(realm, channel=values.get("channel", ""))
    return [_tell_receiver(row) for row in rows] or ["no address was added"]


def add_receiver(realm: Realm, values: Values) -> list[str]:
    """Have an address get a channel's stanzas."""
    row = add_xmpp_receiver(realm=realm, channel=values["channel"], address=values["jid"], asker=values[ASKER])
    asked = ["it is asked first whether it wants that"] if row.receiver.state == XmppReceiver.State.PENDING else []
    return [_tell_receiver(row), *asked]


def remove_receiver(realm: Realm, values: Values) -> list[str]:
    """Have an address get a channel's stanzas no more."""
    address = str(clean_receiver(realm, values["jid"]))
    row = list_xmpp_receivers(realm, channel=values["channel"]).filter(receiver__address=address).first()
    if row is None:
        raise XmppReceiverNotFound
    remove_xmpp_receiver(realm=realm, receiver_channel_id=row.pk)
    return [f"{address} gets nothing of {values['channel']} any more"]


# -- the other way


def set_stanza_url(realm: Realm, values: Values) -> list[str]:
    """Set where stanzas to the realm are posted."""
    keep_stanza_url(realm=realm, url=values.get("url", ""))
    return [f"stanzas are posted to {realm.stanza_url}" if realm.stanza_url else "stanzas are posted nowhere"]


def _tell_receiver(row: XmppReceiverChannel) -> str:
    reason = f", {row.receiver.state_reason}" if row.receiver.state_reason else ""
    return f"{row.receiver.address} of {row.channel} ({row.receiver.state}{reason})"
