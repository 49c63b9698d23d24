"""Instructions as a JSON document."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.grip.bad_instruction import BadInstruction
from fanoutcloud.grip.instruct_documents import read_instruction
from fanoutcloud.grip.instructions import Answer, HoldChannel, Instruction
from fanoutcloud.grip.keep_alives import KeepAlive

TYPE = (b"Content-Type", b"application/grip-instruct")


def read(document: Any, *headers: tuple[bytes, bytes], status: int = 200) -> Instruction:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_instruction([TYPE, *headers], status=status, reason="Fine", body=body, uri="http://a.example/x")


def test_the_whole_document():
    told = read(
        {
            "hold": {
                "mode": "stream",
                "channels": [{"name": "a", "prev-id": "41", "filters": ["skip-self", "var-subst"]}, {"name": "b"}],
                "timeout": 30,
                "keep-alive": {"content": "x", "content-bin": "Cg==", "timeout": "20"},
                "meta": {"user": "alice"},
            },
            "response": {
                "code": "201",
                "headers": [["X-A", "1"], ["X-A", "2"], ["Grip-Hold", "stream"]],
                "body": "text",
                "body-bin": "AP8=",
            },
        },
        (b"X-Transport", b"dropped"),
        (b"Grip-Set-Meta", b"team=red"),
        (b"Grip-Link", b"</more>; rel=next"),
    )

    assert told.mode == "stream"
    assert told.channels == (HoldChannel("a", "41", ("skip-self", "var-subst")), HoldChannel("b"))
    assert told.timeout_s == 30
    assert told.keep_alive == KeepAlive(b"\n", 20, is_interval=True)
    assert told.meta == {"user": "alice", "team": "red"}
    assert told.answer == Answer(201, "Created", ((b"X-A", b"1"), (b"X-A", b"2")), b"\x00\xff")
    assert told.next_link is not None
    assert told.next_link.uri == "http://a.example/more"


def test_an_empty_response_answers_at_once_with_nothing():
    assert read({"response": {}}) == Instruction(answer=Answer(200, "OK", (), b""))


def test_a_document_that_says_nothing_is_refused():
    with pytest.raises(BadInstruction) as refused:
        read({})
    assert refused.value.field == "response"


def test_a_hold_needs_nothing_but_channels():
    told = read({"hold": {"channels": []}})

    assert (told.mode, told.channels, told.timeout_s) == ("response", (), 55)


def test_of_headers_and_document_mode_and_time_out_of_the_document_win():
    told = read(
        {"hold": {"mode": "response", "channels": [{"name": "b"}], "timeout": 7}},
        (b"Grip-Hold", b"stream"),
        (b"Grip-Channel", b"a"),
        (b"Grip-Timeout", b"20"),
    )

    assert (told.mode, told.timeout_s) == ("response", 7)
    assert [channel.name for channel in told.channels] == ["a", "b"]


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (999, 999), ("304", 304), (204.0, 204)])
def test_codes(code: object, expected: int):
    assert read({"response": {"code": code}}).answer.status == expected


def test_a_reason_of_its_own():
    assert read({"response": {"code": 200, "reason": "Great"}}).answer.reason == "Great"


def test_another_status_is_refused():
    with pytest.raises(BadInstruction, match=r"^status: is 201 for application/grip-instruct$"):
        read({}, status=201)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"", "body: is no JSON: Input data was truncated"),
        (b"\xff", "body: is no JSON"),
        (b"[" * 5000, "body: is no JSON"),
        ([], "body: is no JSON object"),
        ({"hold": []}, "hold: is not an object"),
        ({"hold": {}}, "hold.channels: is missing"),
        ({"hold": {"channels": {}}}, "hold.channels: is not a list"),
        ({"hold": {"channels": ["a"]}}, "hold.channels[0]: is not an object"),
        ({"hold": {"channels": [{"name": "a"}, {}]}}, "hold.channels[1].name: is missing"),
        ({"hold": {"channels": [{"name": ""}]}}, "hold.channels[0].name: the channel name is empty"),
        ({"hold": {"channels": [{"name": 7}]}}, "hold.channels[0].name: is not text"),
        ({"hold": {"channels": [{"name": "a", "prev-id": 7}]}}, "hold.channels[0].prev-id: is not text"),
        ({"hold": {"channels": [{"name": "a", "filters": "x"}]}}, "hold.channels[0].filters: is not a list"),
        ({"hold": {"channels": [{"name": "a", "filters": [1]}]}}, "hold.channels[0].filters: holds something"),
        ({"hold": {"channels": [{"name": "a", "filters": ["x"] * 6}]}}, "hold.channels[0].filters: holds 6 filters"),
        ({"hold": {"mode": "x", "channels": []}}, "hold.mode: is 'x'"),
        ({"hold": {"channels": [], "timeout": True}}, "hold.timeout: is 'True'"),
        ({"hold": {"channels": [], "timeout": -1}}, "hold.timeout: is '-1'"),
        ({"hold": {"channels": [], "timeout": "x"}}, "hold.timeout: is 'x'"),
        ({"hold": {"channels": [], "keep-alive": {}}}, "hold.keep-alive.content: is missing"),
        ({"hold": {"channels": [], "keep-alive": {"content-bin": "%"}}}, "hold.keep-alive.content-bin: is not Base64"),
        ({"hold": {"channels": [], "meta": {"a": 1}}}, "hold.meta.a: is not text"),
        ({"response": "x"}, "response: is not an object"),
        ({"response": {"code": 1000}}, "response.code: is '1000'"),
        ({"response": {"code": "ok"}}, "response.code: is 'ok'"),
        ({"response": {"reason": 1}}, "response.reason: is not text"),
        ({"response": {"reason": "a\nb"}}, "response.reason: holds a control character"),
        ({"response": {"headers": "x"}}, "response.headers: is no object"),
        ({"response": {"headers": [["a"]]}}, "response.headers[0]: is no pair of texts"),
        ({"response": {"headers": {"a": 1}}}, "response.headers[0]: is no pair of texts"),
        ({"response": {"headers": {"a b": "1"}}}, "response.headers: 'a b' is no header name"),
        ({"response": {"headers": {"a": "1\r\nb: 2"}}}, "response.headers.a: holds a control character"),
        ({"response": {"body": 1}}, "response.body: is not text"),
        ({"response": {"body-bin": "x"}}, "response.body-bin: is not Base64"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_member(document: Any, told: str):
    with pytest.raises(BadInstruction) as error:
        read(document)

    assert str(error.value).startswith(told)
    assert error.value.cure


def test_other_answers_are_read_by_their_headers_alone():
    told = read_instruction([(b"Grip-Hold", b"response")], status=404, reason="Gone", body=b"{", uri="http://a/")

    assert (told.mode, told.answer) == ("response", Answer(404, "Gone", (), b"{"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["hold", "response", "mode", "channels", "name", "prev-id", "filters", "timeout", "keep-alive"]
            )
            | st.sampled_from(["content", "meta", "code", "reason", "headers", "body", "body-bin"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(value=values)
def test_whatever_comes_is_read_or_refused(value: Any):
    try:
        told = read(value)
    except BadInstruction as error:
        assert error.field  # noqa: PT017 - whatever it raises
    else:
        assert 0 <= told.answer.status <= 999


@given(body=st.binary())
def test_every_body_can_be_said(body: bytes):
    assert read({"response": {"body-bin": base64.b64encode(body).decode()}}).answer.body == body
