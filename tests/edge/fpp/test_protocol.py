"""FPP's requests, sessions and answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.directory import RealmKey, RealmSnapshot, Retention
from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.edge.fpp.protocol import make_sid, parse_request, read_sid, write_feed, write_subscribed

REALM = RealmSnapshot(RealmId("0a1b2c3d"), (RealmKey("1", b"k" * 32), RealmKey("2", b"l" * 32)), Retention())
AT = StreamPosition("abcdefgh", 7)


def test_each_ci_is_a_form_of_its_own() -> None:
    request = parse_request("sid=x&ci=name%3Dscores%26since%3Dcursor%253Aabcdefgh%253A7&ci=name%3Da%252Fb&auth_token=t")

    assert [(channel.name, channel.find_position()) for channel in request.channels] == [("scores", AT), ("a/b", None)]
    assert (request.sid, request.auth_token) == ("x", "t")


@pytest.mark.parametrize("form", ["", "ci=", "ci=name%3D", "sid=x", "ci=nam%3Dx", "ci=name%3D%250a", "%ff=1"])
def test_forms_without_a_channel_are_refused(form: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_request(form)


@given(st.text())
def test_no_text_raises_anything_but_our_error(form: str) -> None:
    try:
        request = parse_request(form)
    except InvalidRequest:
        return
    assert request.channels


@pytest.mark.parametrize("token", [None, "opaque", "a.b.c", ""])
def test_a_session_carries_its_token(token: str | None) -> None:
    assert read_sid(REALM, make_sid(REALM, token)) == (True, token)


@pytest.mark.parametrize("sid", ["", "x", "..", "a.b.c", "é.é.é"])
def test_what_was_never_made_is_no_session(sid: str) -> None:
    assert not read_sid(REALM, sid)[0]


def test_a_session_with_another_token_is_none() -> None:
    assert not read_sid(REALM, make_sid(REALM, "a") + "b")[0]
    assert not read_sid(REALM, make_sid(REALM, None) + ".")[0]


def test_a_session_holds_as_long_as_its_key() -> None:
    sid = make_sid(REALM, None)
    other = RealmSnapshot(REALM.realm, REALM.keys[1:], Retention())

    assert read_sid(RealmSnapshot(REALM.realm, REALM.keys[::-1], Retention()), sid)[0]
    assert not read_sid(other, sid)[0]


def test_answers_are_objects_by_channel() -> None:
    subscribed = json.loads(write_subscribed("s", {ChannelName("a"): AT, ChannelName("b"): 403}))
    fed = json.loads(write_feed({ChannelName("a"): (AT, [b"1", b'{"x":null}'])}))

    assert subscribed == {"sid": "s", "channels": {"a": {"last_cursor": "abcdefgh:7"}, "b": {"error_code": 403}}}
    assert fed == {"channels": {"a": {"last_cursor": "abcdefgh:7", "items": [1, {"x": None}]}}}
    assert write_feed({}) == b'{"channels":{}}'
