"""From `Grip-*` headers to an instruction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.grip.bad_instruction import BadInstruction
from fanoutcloud.grip.instructions import HoldChannel, Instruction, NextLink, read_headers
from fanoutcloud.grip.keep_alives import KeepAlive

URI = "http://app.example.com/fruit/?after=3"


def read(*lines: str, body: bytes = b"", status: int = 200, reason: str = "OK") -> Instruction:
    pairs = (line.partition(": ") for line in lines)
    headers = [(name.encode(), value.encode()) for name, _, value in pairs]
    return read_headers(headers, status=status, reason=reason, body=body, uri=URI)


def refusal_of(*lines: str) -> str:
    with pytest.raises(BadInstruction) as error:
        read(*lines)
    assert error.value.cure
    return str(error.value)


def test_a_hold_with_everything():
    told = read(
        "Content-Type: text/plain",
        "Grip-Hold: stream",
        "Grip-Channel: a; prev-id=3; filter=skip-self; filter=build-id, b",
        "grip-channel: c",
        "Grip-Keep-Alive: x; timeout=9",
        'Grip-Set-Meta: user="alice, the first", id_format=%(a)s',
        "Grip-Link: </fruit/?after=3>; rel=next; timeout=20, </bye>; rel=gone, </other>; rel=prev, </ignored>",
        body=b"apple",
    )

    assert told.mode == "stream"
    assert told.channels == (HoldChannel("a", "3", ("skip-self", "build-id")), HoldChannel("b"), HoldChannel("c"))
    assert told.keep_alive == KeepAlive(b"x", 9)
    assert told.meta == {"user": "alice, the first", "id_format": "%(a)s"}
    assert told.next_link == NextLink("http://app.example.com/fruit/?after=3", 20)
    assert told.gone_link == "http://app.example.com/bye"
    assert told.answer.headers == ((b"Content-Type", b"text/plain"),)
    assert told.answer.body == b"apple"


def test_nothing_but_an_unknown_grip_header_is_no_hold_and_does_not_leave():
    told = read("Grip-Future: 1", "X-A: 1")

    assert (told.mode, told.channels, told.answer.headers) == (None, (), ((b"X-A", b"1"),))


@pytest.mark.parametrize(("text", "seconds"), [("0", 5), ("4", 5), ("5", 5), ("30", 30), ("99999999", 604_800)])
def test_a_time_out_is_raised_to_the_least(text: str, seconds: int):
    assert read("Grip-Hold: response", f"Grip-Timeout: {text}").timeout_s == seconds


def test_the_time_out_is_55_seconds_by_default():
    assert read("Grip-Hold: response").timeout_s == 55


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("304", 304, "Not Modified"),
        ("304 As It Was", 304, "As It Was"),
        ("0", 0, ""),
        ("999", 999, ""),
        ("", 200, "OK"),
    ],
)
def test_a_status_of_its_own(text: str, status: int, reason: str):
    answer = read(f"Grip-Status: {text}").answer

    assert (answer.status, answer.reason) == (status, reason)


def test_only_exposed_headers_are_passed_on():
    told = read("X-A: 1", "X-B: 2", "Content-Type: t", "Grip-Expose-Headers: x-a, Nothing", "Grip-Expose-Headers: X-C")

    assert told.answer.headers == ((b"X-A", b"1"),)


def test_an_empty_list_exposes_nothing():
    assert read("X-A: 1", "Grip-Expose-Headers: ").answer.headers == ()


def test_of_a_channel_named_twice_the_last_entry_holds():
    assert read("Grip-Channel: a; prev-id=1, b, a; prev-id=2").channels == (HoldChannel("a", "2"), HoldChannel("b"))


def test_channels_beyond_the_twentieth_are_ignored():
    channels = read("Grip-Channel: " + ",".join(f"c{n}" for n in range(30))).channels

    assert [channel.name for channel in channels] == [f"c{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("link", "uri"),
    [
        ("/a", "http://app.example.com/a"),
        ("?after=4", "http://app.example.com/fruit/?after=4"),
        ("b", "http://app.example.com/fruit/b"),
        ("https://other.example:8443/x", "https://other.example:8443/x"),
        ("", URI),
    ],
)
def test_links_are_relative_to_the_request(link: str, uri: str):
    told = read(f"Grip-Link: <{link}>; rel=next")

    assert told.next_link == NextLink(uri, 120)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Grip-Hold: Response", "Grip-Hold: is 'Response'"),
        ("Grip-Hold: ", "Grip-Hold: is ''"),
        ("Grip-Timeout: soon", "Grip-Timeout: is 'soon'"),
        ("Grip-Timeout: -1", "Grip-Timeout: is '-1'"),
        ("Grip-Timeout: ", "Grip-Timeout: is ''"),
        ("Grip-Channel: ; prev-id=3", "Grip-Channel: the channel name is empty"),
        ('Grip-Channel: a; prev-id="x', "Grip-Channel: a quote is left open in '\"x'"),
        ("Grip-Channel: a" + "; filter=f" * 6, "Grip-Channel: holds 6 filters"),
        ("Grip-Keep-Alive: ", "Grip-Keep-Alive: has no content to send"),
        ("Grip-Status: ok", "Grip-Status: is 'ok'"),
        ("Grip-Status: 1000", "Grip-Status: is '1000'"),
        ("Grip-Status: -1 x", "Grip-Status: is '-1 x'"),
        ("Grip-Set-Meta: =x", "Grip-Set-Meta: a value has no name"),
        ("Grip-Link: /a; rel=next", "Grip-Link: '/a' is not in angle brackets"),
        ("Grip-Link: <ftp://a/>; rel=next", "Grip-Link: 'ftp://a/' is no address"),
        ("Grip-Link: <http://[/>; rel=next", "Grip-Link: 'http://[/' is no address"),
        ("Grip-Link: <http://a:x/>; rel=next", "Grip-Link: 'http://a:x/' is no address"),
        ("Grip-Link: </a b>; rel=next", "Grip-Link: '/a b' is no address"),
        ("Grip-Link: </a>; rel=next; timeout=x", "Grip-Link: is 'x'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_header(line: str, told: str):
    assert refusal_of(line) == told


grip_names = st.sampled_from(
    ["Hold", "Channel", "Timeout", "Keep-Alive", "Set-Meta", "Status", "Expose-Headers", "Link", "Last", "Session-Id"]
)


@given(lines=st.lists(st.tuples(grip_names, st.binary(max_size=40)), max_size=4))
def test_whatever_comes_is_read_or_refused_with_its_header(lines: list[tuple[str, bytes]]):
    headers = [(f"Grip-{name}".encode(), value) for name, value in lines]

    try:
        told = read_headers(headers, status=200, reason="OK", body=b"", uri=URI)
    except BadInstruction as error:
        assert error.field is not None  # noqa: PT017 - whatever it raises
        assert error.field.startswith("Grip-")  # noqa: PT017 - whatever it raises
    else:
        assert told.answer.headers == ()
