"""Wire formats of realms that have subscribers over XMPP."""

from fanoutcloud.core.names import RealmId
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.wires import Wires

REALM = RealmId("4f1d90ab")


def test_subscribers_of_a_realm_share_one_at_each_kind_of_door() -> None:
    wires = Wires(Domains("push.test"))

    own = wires.of(REALM, is_joinable=True)
    behind_server = wires.of(REALM, is_joinable=False)

    assert wires.of(REALM, is_joinable=True) is own
    assert wires.of(REALM, is_joinable=False) is behind_server
    assert (own.is_joinable, behind_server.is_joinable) == (True, False)
