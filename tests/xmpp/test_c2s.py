"""The client's stream, without a network."""

import base64

import pytest

from fanoutcloud.core.jids import parse_jid
from fanoutcloud.core.xml_parsing import XmlLimits
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.c2s import Bound, ClientStream, Closed, SignIn, SignInAsGuest, StanzaCame, StartTls

OPEN = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    b"to='push.test' version='1.0'>"
)
SASL = b"xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
BIND = b"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>hall</resource></bind></iq>"
USER = parse_jid("r.kiosk@push.test")


def make_stream(*, is_secure: bool = True, requires_tls: bool = True) -> ClientStream:
    limits = XmlLimits(stanza_bytes=4_000)
    return ClientStream(Domains("push.test"), is_secure=is_secure, requires_tls=requires_tls, limits=limits)


def plain(user: str = "r.kiosk", password: str = "token") -> bytes:
    text = base64.b64encode(f"\0{user}\0{password}".encode())
    return b"<auth %b mechanism='PLAIN'>%b</auth>" % (SASL, text)


def signed_in() -> ClientStream:
    stream = make_stream()
    stream.feed(OPEN)
    stream.feed(plain())
    stream.accept(USER)
    stream.feed(OPEN)
    stream.feed(BIND)
    stream.take_output()
    return stream


def test_a_client_signs_in_and_gets_its_address() -> None:
    stream = make_stream()

    assert stream.feed(OPEN) == []
    assert b"<mechanism>PLAIN</mechanism>" in stream.take_output()
    assert stream.feed(plain()) == [SignIn("r.kiosk", "token")]
    stream.accept(USER)
    assert b"<success" in stream.take_output()
    assert stream.feed(OPEN) == []
    assert b"<bind" in stream.take_output()
    assert stream.feed(BIND) == [Bound(parse_jid("r.kiosk@push.test/hall"))]
    assert b"<jid>r.kiosk@push.test/hall</jid>" in stream.take_output()


def test_there_is_nothing_but_tls_where_that_is_required() -> None:
    stream = make_stream(is_secure=False)
    stream.feed(OPEN)
    offered = stream.take_output()

    assert b"<required/>" in offered
    assert b"mechanism" not in offered
    stream.feed(plain())
    assert b"<encryption-required/>" in stream.take_output()


def test_a_password_never_goes_without_tls() -> None:
    stream = make_stream(is_secure=False, requires_tls=False)
    stream.feed(OPEN)

    assert b"PLAIN" not in stream.take_output()
    assert stream.feed(plain()) == []


def test_guests_have_a_host_of_their_own() -> None:
    stream = make_stream(is_secure=False, requires_tls=False)
    stream.feed(OPEN.replace(b"push.test", b"guest.push.test"))

    assert b"<mechanism>ANONYMOUS</mechanism></mechanisms>" in stream.take_output()
    assert stream.feed(b"<auth %b mechanism='ANONYMOUS'/>" % SASL) == [SignInAsGuest()]


def test_what_comes_in_the_clear_behind_starttls_ends_the_stream() -> None:
    """Else somebody on the way could put it there, and it would be taken for the client's."""
    stream = make_stream(is_secure=False)
    events = stream.feed(OPEN + b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + plain())

    assert events == [StartTls(), Closed("policy-violation")]


def test_stanzas_are_from_the_clients_own_address() -> None:
    stream = signed_in()
    [came] = stream.feed(b"<iq type='get' id='1' from='r.kiosk@push.test'><a xmlns='u'/></iq>")

    assert isinstance(came, StanzaCame)
    assert came.stanza.get("from") == "r.kiosk@push.test/hall"
    assert stream.feed(b"<iq type='get' id='2' from='ops@push.test'/>") == [Closed("invalid-from")]
    assert b"<invalid-from" in stream.take_output()


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (OPEN.replace(b"push.test", b"other.test"), b"host-unknown"),
        (OPEN.replace(b" version='1.0'>", b">"), b"unsupported-version"),
        (b"<html>", b"invalid-namespace"),
        (b"GET / HTTP/1.1\r\n\r\n", b"not-well-formed"),
        (b"<!DOCTYPE a><a/>", b"restricted-xml"),
        (OPEN + BIND, b"not-authorized"),
        (OPEN + b"<iq a='" + b"x" * 20_000, b"policy-violation"),
    ],
)
def test_whatever_comes_before_a_sign_in_is_answered_with_a_stream_error(data: bytes, condition: bytes) -> None:
    stream = make_stream()

    events = stream.feed(data)

    output = stream.take_output()
    assert events == [Closed(condition.decode())]
    assert b"<stream:error><%b " % condition in output
    assert output.startswith(b"<?xml")
    assert output.endswith(b"</stream:stream>")


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"<unknown/>", "unsupported-stanza-type"),
        (b"<iq xmlns='jabber:server'/>", "unsupported-stanza-type"),
        (b"<message><body>" + b"x" * 5_000, "policy-violation"),
        (b"<message><!-- --></message>", "restricted-xml"),
        (plain(), "policy-violation"),
        (b"</stream:stream>", ""),
    ],
)
def test_after_the_sign_in_too(data: bytes, condition: str) -> None:
    assert signed_in().feed(data) == [Closed(condition)]


def test_a_few_attempts_are_enough() -> None:
    stream = make_stream()
    stream.feed(OPEN)
    for _ in range(3):
        assert stream.feed(plain()) == [SignIn("r.kiosk", "token")]
        stream.refuse("not-authorized", "no")

    assert stream.take_events() == [Closed("policy-violation")]


@pytest.mark.parametrize(
    "text", [b"", b"!", base64.b64encode(b"a"), base64.b64encode(b"x\0y\0z"), base64.b64encode(b"\xff\0\0")]
)
def test_a_malformed_sign_in_fails_and_hurts_nothing(text: bytes) -> None:
    stream = make_stream()
    stream.feed(OPEN)

    assert stream.feed(b"<auth %b mechanism='PLAIN'>%b</auth>" % (SASL, text)) == []
    assert b"<failure" in stream.take_output()
