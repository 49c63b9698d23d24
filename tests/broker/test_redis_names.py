"""Names of keys: unambiguous, and one slot per channel."""

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.broker.redis_names import realm_pattern, stream_key
from fanoutcloud.core.names import ChannelName, RealmId

REALMS = st.text("ab-_/*{}", min_size=1, max_size=4).map(RealmId)
CHANNELS = st.text("ab{}/:%*7D=", min_size=1, max_size=8).map(ChannelName)


@given(one=st.tuples(REALMS, CHANNELS), other=st.tuples(REALMS, CHANNELS))
def test_two_channels_never_share_a_key(one: tuple[RealmId, ChannelName], other: tuple[RealmId, ChannelName]) -> None:
    """One is never a beginning of the other either, so no suffix can make them meet."""
    if one != other:
        assert not stream_key(*one).startswith(stream_key(*other))


@given(realm=REALMS, channel=CHANNELS)
def test_the_hash_tag_is_the_whole_of_realm_and_channel(realm: RealmId, channel: ChannelName) -> None:
    """Redis Cluster specification: the tag is what stands between the first `{` and the next `}`."""
    key = stream_key(realm, channel)

    assert key.index("{") == len("fo:")
    assert key.index("}") == len(key) - 1


@given(realm=REALMS, other=REALMS, channel=CHANNELS)
def test_the_pattern_of_a_realm_matches_its_keys_and_no_others(
    realm: RealmId, other: RealmId, channel: ChannelName
) -> None:
    assert fnmatchcase(stream_key(other, channel), realm_pattern(realm)) == (realm == other)
