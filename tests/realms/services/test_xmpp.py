"""Who may administer a realm over XMPP."""

import pytest

from fanoutcloud.core.jids import parse_jid
from fanoutcloud.core.names import RealmId
from realms.errors import InvalidRequestUrl
from realms.models import AuditEntry, XmppAdmin
from realms.selectors import list_realms_of_xmpp_admin
from realms.services import CreatedRealm, add_xmpp_admin, allow_stanzas, remove_xmpp_admin, set_stanza_url
from realms.services.xmpp import MAX_XMPP_ADMINS_PER_REALM
from realms.snapshots import find_snapshot
from realms.xmpp_errors import InvalidXmppAddress, XmppAdminLimitReached, XmppAdminNotFound
from tests.factories import make_realm


def test_an_address_is_on_the_list_of_its_realm_alone(created: CreatedRealm) -> None:
    other = make_realm(created.realm.owner)
    add_xmpp_admin(realm=created.realm, address="Ops@Example.org/Laptop")
    found = [find_snapshot(RealmId(realm.pk)) for realm in (created.realm, other.realm)]

    assert [one is not None and one.xmpp.is_admin(parse_jid("ops@example.org/phone")) for one in found] == [True, False]
    assert AuditEntry.objects.filter(action="xmpp_admin.added", thing="ops@example.org").count() == 1


def test_a_domain_lets_in_everybody_there_and_nobody_else(created: CreatedRealm) -> None:
    add_xmpp_admin(realm=created.realm, address="@example.org")
    snapshot = find_snapshot(RealmId(created.realm.pk))

    assert snapshot is not None
    assert snapshot.xmpp.is_admin(parse_jid("anybody@example.org"))
    assert not snapshot.xmpp.is_admin(parse_jid("anybody@sub.example.org"))


def test_an_address_is_there_once_and_goes(created: CreatedRealm) -> None:
    rows = [add_xmpp_admin(realm=created.realm, address="ops@example.org") for _ in range(2)]
    remove_xmpp_admin(realm=created.realm, admin_id=rows[0].pk)

    assert rows[0] == rows[1]
    with pytest.raises(XmppAdminNotFound):
        remove_xmpp_admin(realm=created.realm, admin_id=rows[0].pk)


@pytest.mark.parametrize("address", ["", "example.org", "a b@c", "@", "@a@b", "a@b/\x00"])
def test_what_is_no_address_is_refused(address: str, created: CreatedRealm) -> None:
    with pytest.raises(InvalidXmppAddress):
        add_xmpp_admin(realm=created.realm, address=address)


def test_a_list_has_an_end(created: CreatedRealm) -> None:
    XmppAdmin.objects.bulk_create(
        XmppAdmin(realm=created.realm, address=f"{number}@a") for number in range(MAX_XMPP_ADMINS_PER_REALM)
    )

    with pytest.raises(XmppAdminLimitReached):
        add_xmpp_admin(realm=created.realm, address="ops@example.org")


def test_stanzas_are_allowed_by_realm(created: CreatedRealm) -> None:
    allow_stanzas(realm=created.realm, is_allowed=True)
    snapshot = find_snapshot(RealmId(created.realm.pk))

    assert snapshot is not None
    assert snapshot.xmpp.sends_stanzas


def test_stanzas_are_posted_to_a_url_or_nowhere(created: CreatedRealm) -> None:
    found = []
    for url in ("https://app.example.org/xmpp ", " "):
        set_stanza_url(realm=created.realm, url=url)
        snapshot = find_snapshot(RealmId(created.realm.pk))
        assert snapshot is not None
        found.append(snapshot.xmpp.stanza_url)
    with pytest.raises(InvalidRequestUrl):
        set_stanza_url(realm=created.realm, url="ftp://example.org")

    assert found == ["https://app.example.org/xmpp", ""]
    assert AuditEntry.objects.filter(action="xmpp_stanza_url.changed").count() == 2


def test_the_realms_of_an_address_are_those_that_have_it_or_its_domain_on_their_lists(created: CreatedRealm) -> None:
    second, third = (make_realm(created.realm.owner).realm for _ in range(2))
    add_xmpp_admin(realm=created.realm, address="ops@example.org")
    add_xmpp_admin(realm=second, address="@example.org")
    add_xmpp_admin(realm=third, address="eve@example.org")
    found = list_realms_of_xmpp_admin(parse_jid("Ops@example.org/phone"))

    assert found == sorted([created.realm.pk, second.pk])
