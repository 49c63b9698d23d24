"""Addresses that a realm writes to: who must be asked first, how often, and that a no holds."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fanoutcloud.core.names import RealmId
from realms.models import AuditEntry, Realm, XmppReceiver, XmppReceiverChannel
from realms.selectors import get_xmpp_receiver
from realms.services import CreatedRealm, add_xmpp_receiver, delete_realm, remove_xmpp_receiver
from realms.services.xmpp_receivers import (
    ASK_AGAIN_AFTER,
    MAX_QUESTIONS_AT_DOMAIN,
    MAX_QUESTIONS_OF_REALM,
    MAX_XMPP_RECEIVERS_PER_REALM,
    REFUSAL_HOLDS,
    answer_as_receiver,
    pause_xmpp_receiver,
    take_questions,
)
from realms.snapshots import find_snapshot
from realms.xmpp_errors import (
    InvalidXmppReceiver,
    TooManyXmppQuestions,
    XmppReceiverLimitReached,
    XmppReceiverNotFound,
    XmppReceiverRefuses,
)
from tests.factories import make_realm

OPS = "ops@example.org"
State = XmppReceiver.State


@pytest.fixture
def realm(created: CreatedRealm, settings) -> Realm:
    assert settings.XMPP.domain == "localhost"
    return created.realm


def add(realm: Realm, address: str = OPS, channel: str = "door", **more: str) -> XmppReceiver:
    return add_xmpp_receiver(realm=realm, channel=channel, address=address, **more).receiver


def receivers_of(realm: Realm) -> dict[str, frozenset[str]]:
    snapshot = find_snapshot(RealmId(realm.pk))
    assert snapshot is not None
    return {address: frozenset(map(str, channels)) for address, channels in snapshot.xmpp.receivers.items()}


def confirm(receiver: XmppReceiver) -> str:
    take_questions()
    return answer_as_receiver(realm_id=receiver.realm_id, address=receiver.address, text=receiver.code)


def later(receiver: XmppReceiver, by: timedelta) -> None:
    """Have all that happened to a receiver be so much longer ago."""
    XmppReceiver.objects.filter(pk=receiver.pk).update(
        asked_at=timezone.now() - by, state_since=timezone.now() - by, created_at=timezone.now() - by
    )


def test_a_stranger_gets_something_after_it_has_said_yes(realm: Realm) -> None:
    receiver = add(realm, "Ops@Example.org/phone")
    before = receivers_of(realm)
    [question] = take_questions()
    wrong = answer_as_receiver(realm_id=realm.pk, address=OPS, text="12345678")
    reply = answer_as_receiver(realm_id=realm.pk, address=OPS, text=f" {question.code} ")

    assert (receiver.state, before, wrong) == (State.PENDING, {}, "")
    assert (question.realm, question.address) == (realm.pk, OPS)
    assert "may send messages to this address now" in reply
    assert receivers_of(realm) == {OPS: frozenset({"door"})}
    assert AuditEntry.objects.filter(action="xmpp_receiver.confirmed", thing=OPS).count() == 1


def test_nobody_says_yes_for_somebody_else_or_before_being_asked(realm: Realm, created: CreatedRealm) -> None:
    other = make_realm(created.realm.owner).realm
    code = add(realm).code
    early = answer_as_receiver(realm_id=realm.pk, address=OPS, text=code)
    take_questions()
    foreign = [
        answer_as_receiver(realm_id=realm.pk, address="eve@example.org", text=code),
        answer_as_receiver(realm_id=other.pk, address=OPS, text=code),
    ]

    assert (early, foreign) == ("", ["", ""])
    assert receivers_of(realm) == {}


def test_everybody_is_asked_once(realm: Realm) -> None:
    add(realm)
    add(realm, channel="window")
    first, second = take_questions(), take_questions()
    add(realm, channel="roof")

    assert ([one.address for one in first], second, take_questions()) == ([OPS], [], [])


def test_a_no_holds_whatever_the_realm_does(realm: Realm) -> None:
    receiver = add(realm)
    confirm(receiver)
    reply = answer_as_receiver(realm_id=realm.pk, address=OPS, text="STOP")
    remove_xmpp_receiver(realm=realm, receiver_channel_id=receiver.channels.get().pk)
    with pytest.raises(XmppReceiverRefuses):
        add(realm)

    assert "sends nothing more" in reply
    assert receivers_of(realm) == {}
    assert answer_as_receiver(realm_id=realm.pk, address=OPS, text="stop") == ""
    later(receiver, REFUSAL_HOLDS)
    assert add(realm).state == State.PENDING  # and is asked again


def test_own_accounts_and_whoever_asks_for_itself_need_no_question(realm: Realm) -> None:
    own = add(realm, f"{realm.pk}.kiosk@localhost")
    itself = add(realm, asker=OPS)

    assert (own.state, itself.state) == (State.ACTIVE, State.ACTIVE)
    assert take_questions() == []


@pytest.mark.parametrize(
    "address",
    ["", "example.org", "a b@c", "@example.org", "admin-REALM@api.localhost", "REALM@stanza.localhost",
     "x@guest.localhost", "kiosk@localhost", "OTHER.kiosk@localhost", "REALM.@localhost", f"{'x' * 1025}@a.b"],
)  # fmt: skip
def test_what_this_realm_may_not_write_to_is_refused(address: str, realm: Realm, created: CreatedRealm) -> None:
    other = make_realm(created.realm.owner).realm
    with pytest.raises(InvalidXmppReceiver):
        add(realm, address.replace("REALM", realm.pk).replace("OTHER", other.pk))

    assert not XmppReceiver.objects.exists()


def test_what_comes_back_pauses_until_it_is_added_again(realm: Realm) -> None:
    confirm(add(realm))
    pause_xmpp_receiver(realm_id=realm.pk, address=OPS, reason="what was sent came back: gone")
    paused = receivers_of(realm)
    receiver = add(realm)

    assert paused == {}
    assert (receiver.state, receiver.state_reason) == (State.ACTIVE, "")
    assert receivers_of(realm) == {OPS: frozenset({"door"})}


def test_a_question_that_came_back_is_not_repeated_at_once(realm: Realm) -> None:
    receiver = add(realm)
    take_questions()
    pause_xmpp_receiver(realm_id=realm.pk, address=OPS, reason="the question came back: gone")
    soon = add(realm).state, take_questions()
    later(receiver, ASK_AGAIN_AFTER)
    add(realm)

    assert soon == (State.PENDING, [])
    assert len(take_questions()) == 1


def test_few_strangers_are_asked_in_an_hour(realm: Realm, created: CreatedRealm) -> None:
    for number in range(MAX_QUESTIONS_OF_REALM):
        add(realm, f"{number}@{number}.example")
    with pytest.raises(TooManyXmppQuestions) as refused:
        add(realm, "one@more.example")
    other = make_realm(created.realm.owner).realm
    add(other, "one@more.example")
    add(realm, f"{realm.pk}.kiosk@localhost")

    assert refused.value.http_status == 429
    assert not XmppReceiver.objects.filter(realm=realm, address="one@more.example").exists()


def test_few_strangers_are_asked_at_one_domain_whoever_asks(realm: Realm, created: CreatedRealm) -> None:
    XmppReceiver.objects.bulk_create(
        XmppReceiver(realm=realm, address=f"{number}@example.org", domain="example.org", code="1")
        for number in range(MAX_QUESTIONS_AT_DOMAIN)
    )
    other = make_realm(created.realm.owner).realm
    with pytest.raises(TooManyXmppQuestions):
        add(other)
    add(other, "ops@sub.example.org")


def test_a_list_has_an_end_and_another_realm_takes_no_room(realm: Realm, created: CreatedRealm) -> None:
    receiver = add(realm, f"{realm.pk}.kiosk@localhost")
    XmppReceiverChannel.objects.bulk_create(
        XmppReceiverChannel(receiver=receiver, channel=f"c{number}")
        for number in range(MAX_XMPP_RECEIVERS_PER_REALM - 1)
    )
    with pytest.raises(XmppReceiverLimitReached):
        add(realm, f"{realm.pk}.kiosk@localhost", "one-more")
    add(make_realm(created.realm.owner).realm)


def test_another_realm_finds_and_removes_nothing(realm: Realm, created: CreatedRealm) -> None:
    row = add_xmpp_receiver(realm=realm, channel="door", address=OPS)
    other = make_realm(created.realm.owner).realm
    for reach in (
        lambda: remove_xmpp_receiver(realm=other, receiver_channel_id=row.pk),
        lambda: get_xmpp_receiver(other, row.pk),
    ):
        with pytest.raises(XmppReceiverNotFound):
            reach()
    pause_xmpp_receiver(realm_id=other.pk, address=OPS, reason="no")

    row.receiver.refresh_from_db()
    assert row.receiver.state == State.PENDING


def test_a_realm_that_is_deleted_takes_its_receivers_along(realm: Realm) -> None:
    add(realm)
    delete_realm(realm=realm)

    assert take_questions() == []
