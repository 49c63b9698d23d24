"""Grants: what a token allows, and that nobody may do anything by being nobody."""

from fanoutcloud.core.access import ANONYMOUS, CAPABILITIES, Grant, Permission
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import parse_pattern


def test_a_grant_allows_what_one_of_its_permissions_does() -> None:
    grant = Grant(
        permissions=(
            Permission(parse_pattern("chat.*"), frozenset({"subscribe"})),
            Permission(parse_pattern("chat.1"), frozenset({"publish"})),
        )
    )
    assert grant.allows("subscribe", ChannelName("chat.1"))
    assert grant.allows("publish", ChannelName("chat.1"))
    assert not grant.allows("publish", ChannelName("chat.2"))
    assert not grant.allows("history", ChannelName("chat.1"))


def test_without_a_token_nothing_is_granted() -> None:
    assert not any(ANONYMOUS.allows(capability, ChannelName("a")) for capability in CAPABILITIES)


def test_all_channels_of_a_pattern_are_allowed_by_one_permission_that_covers_it() -> None:
    grant = Grant(permissions=(Permission(parse_pattern("chat.*"), frozenset({"subscribe"})),))
    assert grant.allows_all("subscribe", parse_pattern("chat.7.*"))
    assert not grant.allows_all("publish", parse_pattern("chat.7.*"))
    assert not grant.allows_all("subscribe", parse_pattern("*"))
