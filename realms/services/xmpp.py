"""Changes to who may administer a realm over XMPP, and what it may send there."""

from django.db import transaction

from fanoutcloud.core.jids import BadJid, parse_jid
from realms.announcements import announce_change
from realms.audit import Action, note
from realms.models import Realm, XmppAdmin
from realms.models.xmpp import MAX_ADDRESS_CHARACTERS
from realms.services.locking import lock_realm
from realms.services.webhooks import check_url
from realms.xmpp_errors import InvalidXmppAddress, XmppAdminLimitReached, XmppAdminNotFound

#: All are in the snapshot that every process keeps of the realm.
MAX_XMPP_ADMINS_PER_REALM = 100


def clean_address(text: str) -> str:
    """Return a bare address, or a domain with `@` in front, as it is compared.

    Raises:
        InvalidXmppAddress: it is neither.
    """
    text = text.strip()
    try:
        if text.startswith("@"):
            jid = parse_jid(text[1:])
            address = f"@{jid.domain}"
        else:
            jid = parse_jid(text)
            address = str(jid.bare)
    except BadJid as error:
        raise InvalidXmppAddress(str(error)) from None
    if not text.startswith("@") and not jid.local:
        raise InvalidXmppAddress("it names a server, and nobody there; write @DOMAIN for everybody")
    if (text.startswith("@") and jid.local) or len(address) > MAX_ADDRESS_CHARACTERS:
        raise InvalidXmppAddress("it is neither an address nor a domain")
    return address


@transaction.atomic
def add_xmpp_admin(*, realm: Realm, address: str) -> XmppAdmin:
    """Let an XMPP address administer the realm; one that may already stays. A domain lets in everybody there.

    Raises:
        InvalidXmppAddress: it is no address.
        XmppAdminLimitReached: the realm has `MAX_XMPP_ADMINS_PER_REALM`.
    """
    cleaned = clean_address(address)
    lock_realm(realm)
    row = XmppAdmin.objects.filter(realm=realm, address=cleaned).first()
    if row is not None:
        return row
    if XmppAdmin.objects.filter(realm=realm).count() >= MAX_XMPP_ADMINS_PER_REALM:
        raise XmppAdminLimitReached(MAX_XMPP_ADMINS_PER_REALM)
    row = XmppAdmin.objects.create(realm=realm, address=cleaned)
    note(realm, Action.XMPP_ADMIN_ADDED, cleaned)
    announce_change(realm)
    return row


@transaction.atomic
def remove_xmpp_admin(*, realm: Realm, admin_id: int) -> None:
    """Take an address off the list; what it has subscribed to as an admin ends.

    Raises:
        XmppAdminNotFound: it is not on it.
    """
    lock_realm(realm)
    row = XmppAdmin.objects.filter(realm=realm, pk=admin_id).first()
    if row is None:
        raise XmppAdminNotFound
    row.delete()
    note(realm, Action.XMPP_ADMIN_REMOVED, row.address)
    announce_change(realm)


@transaction.atomic
def allow_stanzas(*, realm: Realm, is_allowed: bool) -> None:
    """Have items bring whole stanzas to XMPP subscribers, or no more."""
    lock_realm(realm)
    if Realm.objects.filter(pk=realm.pk).exclude(sends_stanzas=is_allowed).update(sends_stanzas=is_allowed):
        note(realm, Action.XMPP_STANZAS_CHANGED, "allowed" if is_allowed else "not allowed")
        announce_change(realm)
    realm.sends_stanzas = is_allowed


@transaction.atomic
def set_stanza_url(*, realm: Realm, url: str) -> None:
    """Have stanzas to the realm posted to a URL, or, if that is empty, nowhere.

    Raises:
        InvalidRequestUrl: it names no server that may be called.
    """
    checked = check_url(url) if url.strip() else ""
    lock_realm(realm)
    if Realm.objects.filter(pk=realm.pk).exclude(stanza_url=checked).update(stanza_url=checked):
        note(realm, Action.XMPP_STANZA_URL_CHANGED, checked or "nowhere")
        announce_change(realm)
    realm.stanza_url = checked
