"""Addresses that get a channel's stanzas without having subscribed: added by the realm, wanted by the address.

Whoever may add addresses makes the installation write to strangers. So a stranger is asked first, once a day at most
and in words that are ours; few are asked in an hour, of one realm and at one domain; and a no holds.
"""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from fanoutcloud.core.jids import BadJid, Jid, parse_jid
from fanoutcloud.core.names import parse_channel_name
from fanoutcloud.core.xmpp_receivers import Question
from realms.announcements import announce_change
from realms.audit import Action, note
from realms.models import Realm, XmppReceiver, XmppReceiverChannel
from realms.models.xmpp import MAX_ADDRESS_CHARACTERS
from realms.services.locking import lock_realm
from realms.xmpp_errors import (
    InvalidXmppReceiver,
    TooManyXmppQuestions,
    XmppReceiverLimitReached,
    XmppReceiverNotFound,
    XmppReceiverRefuses,
)

#: Pairs of an address and a channel; all are in the snapshot that every process keeps of the realm.
MAX_XMPP_RECEIVERS_PER_REALM = 1_000
#: Strangers that may be asked within an hour.
MAX_QUESTIONS_OF_REALM = 30
MAX_QUESTIONS_AT_DOMAIN = 100
ASK_AGAIN_AFTER = timedelta(days=1)
REFUSAL_HOLDS = timedelta(days=30)
#: What is known of an address without channels is forgotten after this.
FORGET_AFTER = timedelta(days=60)
_HOUR = timedelta(hours=1)
_NO = frozenset({"no", "stop"})

State = XmppReceiver.State


def clean_receiver(realm: Realm, text: str) -> Jid:
    """Return the bare address that `text` is, if this realm may write to it.

    Raises:
        InvalidXmppReceiver: it is none, or one of this installation that is not the realm's own account.
    """
    try:
        jid = parse_jid(text.strip()).bare
    except BadJid as error:
        raise InvalidXmppReceiver(str(error)) from None
    main = settings.XMPP.domain
    if not jid.local:
        raise InvalidXmppReceiver("it names a server, and nobody there")
    if len(str(jid)) > MAX_ADDRESS_CHARACTERS:
        raise InvalidXmppReceiver(f"it is longer than {MAX_ADDRESS_CHARACTERS:,} characters")
    if jid.domain.endswith(f".{main}"):
        raise InvalidXmppReceiver("it is an address of this service itself")
    if jid.domain == main and not _is_own(realm, jid):
        raise InvalidXmppReceiver(f"it is no account of this realm; those are {realm.pk.lower()}.NAME@{main}")
    return jid


def _is_own(realm: Realm, jid: Jid) -> bool:
    owner, dot, name = jid.local.partition(".")
    return jid.domain == settings.XMPP.domain and bool(dot and name) and owner == realm.pk.lower()


@transaction.atomic
def add_xmpp_receiver(*, realm: Realm, channel: str, address: str, asker: str = "") -> XmppReceiverChannel:
    """Have an address get the stanzas of a channel; one that does already stays, one that was paused goes on.

    The realm's own accounts, and `asker`, who asks for it by stanza, get them at once. Others are asked first.

    Raises:
        InvalidRequest: channel or address can't be used.
        XmppReceiverLimitReached: the realm has `MAX_XMPP_RECEIVERS_PER_REALM`.
        XmppReceiverRefuses: the address has said no.
        TooManyXmppQuestions: too many strangers were asked lately.
    """
    jid, name = clean_receiver(realm, address), parse_channel_name(channel)
    lock_realm(realm)
    now = timezone.now()
    has_consent = _is_own(realm, jid) or asker == str(jid)
    receiver = XmppReceiver.objects.filter(realm=realm, address=str(jid)).first()
    if receiver is None:
        _forget_old(realm, now)
        receiver = XmppReceiver(realm=realm, address=str(jid), domain=jid.domain, created_at=now)
    row = None if receiver.pk is None else receiver.channels.filter(channel=name).first()
    if row is None and _of_realm(realm).count() >= MAX_XMPP_RECEIVERS_PER_REALM:
        raise XmppReceiverLimitReached(MAX_XMPP_RECEIVERS_PER_REALM)
    was_active = receiver.pk is not None and receiver.state == State.ACTIVE
    _take_up(receiver, now, has_consent=has_consent)
    if row is None:
        row = XmppReceiverChannel.objects.create(receiver=receiver, channel=name)
        note(realm, Action.XMPP_RECEIVER_ADDED, f"{jid} {name}")
    elif was_active:
        return row
    announce_change(realm)
    return row


def _take_up(receiver: XmppReceiver, now: datetime, *, has_consent: bool) -> None:
    """Make a receiver active if it may be, or have it asked."""
    if has_consent:
        receiver.confirmed_at = receiver.confirmed_at or now
    elif receiver.state == State.REFUSED and receiver.state_since > now - REFUSAL_HOLDS:
        raise XmppReceiverRefuses(receiver.address)
    elif receiver.state == State.REFUSED:
        receiver.confirmed_at = None
    if receiver.confirmed_at is not None:
        state = State.ACTIVE
    else:
        state = State.PENDING
        if receiver.asked_at is None or receiver.asked_at <= now - ASK_AGAIN_AFTER:
            _check_questions(receiver, now)
            receiver.asked_at, receiver.code = None, f"{secrets.randbelow(10**6):06}"
    if receiver.pk is None or receiver.state != state:
        receiver.state, receiver.state_reason, receiver.state_since = state, "", now
    receiver.save()


def _check_questions(receiver: XmppReceiver, now: datetime) -> None:
    """Return if one more stranger may be asked; those that wait to be asked are counted, too."""
    is_lately = Q(asked_at__gt=now - _HOUR) | Q(asked_at=None)
    lately = XmppReceiver.objects.exclude(code="").exclude(pk=receiver.pk).filter(is_lately)
    for asked, limit, whose in (
        (lately.filter(realm=receiver.realm), MAX_QUESTIONS_OF_REALM, "of one realm"),
        (lately.filter(domain=receiver.domain), MAX_QUESTIONS_AT_DOMAIN, f"at {receiver.domain[:80]}"),
    ):
        if asked.count() >= limit:
            message = f"{limit} strangers {whose} may be asked within an hour whether they want stanzas"
            raise TooManyXmppQuestions(message, retry_after_s=int(_HOUR.total_seconds()))


def _of_realm(realm: Realm) -> QuerySet[XmppReceiverChannel]:
    return XmppReceiverChannel.objects.filter(receiver__realm=realm)


def _forget_old(realm: Realm, now: datetime) -> None:
    old = XmppReceiver.objects.filter(realm=realm, channels=None, state_since__lte=now - FORGET_AFTER)
    old.delete()


@transaction.atomic
def remove_xmpp_receiver(*, realm: Realm, receiver_channel_id: int) -> None:
    """Send an address nothing more of a channel. What it answered is remembered, so that it is not asked in vain.

    Raises:
        XmppReceiverNotFound: it gets nothing of it.
    """
    lock_realm(realm)
    row = _of_realm(realm).filter(pk=receiver_channel_id).select_related("receiver").first()
    if row is None:
        raise XmppReceiverNotFound
    row.delete()
    note(realm, Action.XMPP_RECEIVER_REMOVED, f"{row.receiver.address} {row.channel}")
    announce_change(realm)


# -- what the gateway finds out


@transaction.atomic
def answer_as_receiver(*, realm_id: str, address: str, text: str) -> str:
    """Take what an address says to a realm; return the reply to a yes or a no, and nothing for all else."""
    found = XmppReceiver.objects.select_for_update().filter(realm_id=realm_id, address=address)
    receiver = found.select_related("realm").first()
    if receiver is None or receiver.state == State.REFUSED:
        return ""
    if text.strip().lower() in _NO:
        _move(receiver, State.REFUSED, "it does not want anything", Action.XMPP_RECEIVER_REFUSED)
        return f"Realm {realm_id} sends nothing more to this address."
    if receiver.state == State.PENDING and receiver.asked_at is not None and text.strip() == receiver.code:
        receiver.confirmed_at = timezone.now()
        _move(receiver, State.ACTIVE, "", Action.XMPP_RECEIVER_CONFIRMED)
        return f"Realm {realm_id} may send messages to this address now. To end that, say: stop"
    return ""


def pause_xmpp_receiver(*, realm_id: str, address: str, reason: str) -> None:
    """Send an address nothing more, until somebody adds it again. Idempotent."""
    with transaction.atomic():
        found = XmppReceiver.objects.select_for_update().filter(realm_id=realm_id, address=address)
        receiver = found.filter(state__in=(State.ACTIVE, State.PENDING)).select_related("realm").first()
        if receiver is not None:
            _move(receiver, State.PAUSED, reason, Action.XMPP_RECEIVER_PAUSED)


def _move(receiver: XmppReceiver, state: XmppReceiver.State, reason: str, action: Action) -> None:
    receiver.state, receiver.state_reason, receiver.state_since = state, reason[:200], timezone.now()
    receiver.save(update_fields=["state", "state_reason", "state_since", "confirmed_at"])
    note(receiver.realm, action, receiver.address)
    announce_change(receiver.realm)


def take_questions(*, limit: int = 100) -> list[Question]:
    """Return addresses of all realms that are to be asked, each once over all processes."""
    waiting = XmppReceiver.objects.filter(state=State.PENDING, asked_at=None).exclude(channels=None).order_by("pk")
    return [
        Question(row.realm_id, row.address, row.code)  # type: ignore[arg-type]  # a key is a RealmId
        for row in waiting[:limit]
        if XmppReceiver.objects.filter(pk=row.pk, asked_at=None).update(asked_at=timezone.now())
    ]
