"""Revocations: whom they cover."""

from fanoutcloud.core.access import ANONYMOUS, Grant
from fanoutcloud.core.revocations import NOTHING_REVOKED, Revocations


def test_nothing_covers_nobody() -> None:
    everything = Revocations(tokens=frozenset({"", "t1"}), users={"": 10.0, "alice": 10.0})

    assert not everything.covers(ANONYMOUS)
    assert not NOTHING_REVOKED
    assert everything


def test_a_user_is_covered_until_the_moment_of_the_revocation() -> None:
    revoked = Revocations(users={"alice": 10.0})

    assert revoked.covers(Grant(user="alice", issued_at=10.0))
    assert revoked.covers(Grant(user="alice"))
    assert not revoked.covers(Grant(user="alice", issued_at=10.5))
    assert not revoked.covers(Grant(user="bob"))
