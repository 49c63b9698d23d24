"""Exchanges made by hypothesis: what origins may answer and publishers may publish.

What is known to differ on purpose is not made; each is named here with its reason:

- content filters that the item does not expect, and directives that mean nothing: Pushpin ends the stream, we pass over
  the item and tell the realm's owner;
- quotes that are left open, and more than five filters on a channel: we refuse them, Pushpin of Debian reads on;
- HEAD: Pushpin sends a body;
- statuses without a usual reason: Pushpin says `Undefined Reason`;
- patches of objects with several members: Pushpin sorts them, we keep their order;
- patches that add before the end of a list: Pushpin replaces what is there, RFC 6902 §4.1 inserts, and so do we;
- patches that can't be applied: Pushpin answers 502, we send the item with an empty body;
- a gap in a stream: Pushpin of Debian fetches every link a second after a first subscription, and can't be told apart
  from one that recovers; what we do is in tests/grip/test_stream_holds.py;
- `refresh` of a WebSocket: Pushpin of Debian does nothing, we ask the origin;
- a hint that shows a gap: Pushpin passes it over, we ask the origin;
- holds of 204 and 304: Pushpin announces a length.
"""

import base64
import json
from typing import Any

from hypothesis import strategies as st

from tests.compare.exchanges import EventsAnswer, Exchange, OriginAnswer, Step

Headers = tuple[tuple[str, str], ...]

STATUSES = [200, 201, 202, 400, 401, 403, 404, 409, 410, 500, 503]
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}
REASONS |= {404: "Not Found", 409: "Conflict", 410: "Gone", 500: "Internal Server Error", 503: "Service Unavailable"}

texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f"), max_size=30)
words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,10}[A-Za-z0-9]", fullmatch=True)
bodies = st.one_of(texts.map(str.encode), st.binary(max_size=40), st.just(b"x" * 5000))
header_names = st.sampled_from(["X-A", "x-a", "X-B", "Content-Type", "ETag", "Set-Cookie", "Cache-Control", "Location"])
plain_headers = st.lists(st.tuples(header_names, words), max_size=4).map(tuple)
statuses = st.sampled_from(STATUSES)
metas = st.sampled_from([(), (("Grip-Set-Meta", 'user="alice"'),), (("Grip-Set-Meta", "user=bob, team=red"),)])
delivery_filters = st.lists(st.sampled_from(["skip-self", "skip-users", "require-sub", "unknown"]), max_size=3)
EXPOSED = st.sampled_from([(), (), (), (("Grip-Expose-Headers", "X-A"),), (("Grip-Expose-Headers", "etag, x-b"),)])
STATUS_HEADERS = st.sampled_from([(), (), (("Grip-Status", "404"),), (("Grip-Status", "201 As Wished"),)])
BAD: list[Headers] = [
    (("Grip-Hold", "x"),),
    (("Grip-Hold", "Response"),),
    (("Grip-Hold", "response"), ("Grip-Timeout", "soon")),
    (("Grip-Hold", "response"), ("Grip-Timeout", "-1")),
    (("Grip-Hold", "stream"), ("Grip-Keep-Alive", "a; format=hex")),
    (("Grip-Hold", "stream"), ("Grip-Keep-Alive", "a\\; format=cstring")),
    (("Grip-Hold", "stream"), ("Grip-Keep-Alive", "a; timeout=x")),
    (("Grip-Hold", "stream"), ("Grip-Keep-Alive", "a; mode=busy")),
    (("Grip-Status", "abc"),),
    (("Grip-Status", "1000"),),
    (("Grip-Link", "/a; rel=next"),),
]
BAD_DOCUMENTS: list[Any] = [
    [],
    {"hold": {}},
    {"hold": []},
    {"hold": {"mode": "x", "channels": []}},
    {"hold": {"channels": [{}]}},
    {"hold": {"channels": [{"name": 7}]}},
    {"response": []},
    {"response": {"code": "x"}},
    {"response": {"code": 1000}},
    {"response": {"body": 7}},
]


@st.composite
def contents(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Return a text member, its Base64 twin, or both."""
    kind = draw(st.sampled_from(["text", "text", "bin", "both"]))
    members: dict[str, Any] = {}
    if kind != "bin":
        members[name] = draw(texts.filter(bool))
    if kind != "text":
        members[f"{name}-bin"] = base64.b64encode(draw(st.binary(min_size=1, max_size=30))).decode()
    return members


@st.composite
def response_formats(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["send", "send", "send", "hint", "close"]))
    if kind != "send":
        return {"action": kind}
    format_: dict[str, Any] = draw(contents("body"))
    status = draw(statuses)
    format_ |= draw(st.sampled_from([{}, {"code": status}, {"code": str(status)}, {"code": 200, "reason": "Fine"}]))
    headers = draw(plain_headers)
    if headers:
        format_["headers"] = draw(st.sampled_from([dict(headers), [list(pair) for pair in headers]]))
    return format_


@st.composite
def stream_formats(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["send", "send", "send", "hint", "close"]))
    return {"action": kind} if kind != "send" else draw(contents("content"))


@st.composite
def patched_exchanges(draw: st.DrawFn) -> Exchange:
    """A held list, and a patch of it."""
    body = json.dumps(draw(st.lists(st.integers(0, 9) | texts, min_size=1, max_size=3)), ensure_ascii=False)
    newline = draw(st.sampled_from(["", "\n"]))
    first = _answer(200, (("Grip-Hold", "response"), ("Grip-Channel", "{channel}")), f"{body}{newline}".encode())
    operation = draw(st.sampled_from([{"op": "add", "path": "/-"}, {"op": "replace", "path": "/0"}]))
    patch = [operation | {"value": draw(st.integers(0, 9) | texts)}]
    return Exchange((first,), publishes=(Step({"http-response": {"body-patch": patch}}),))


@st.composite
def steps(draw: st.DrawFn, *, with_ids: bool) -> Step:
    item: dict[str, Any] = {}
    formats = draw(st.sampled_from([["http-response"], ["http-stream"], ["http-response", "http-stream"]]))
    made = {name: draw(response_formats() if name == "http-response" else stream_formats()) for name in formats}
    item |= made if draw(st.booleans()) else {"formats": made}
    if with_ids:
        number = draw(st.integers(1, 3))
        item |= {"id": str(number + 1), "prev-id": str(number)}
        for name in formats:
            if made[name].get("action") == "hint":
                made[name] |= {"action": "close"}
    meta = draw(st.sampled_from([{}, {}, {"sender": "alice"}, {"skip_users": "bob, carol"}, {"require_sub": "other"}]))
    return Step(item | ({"meta": meta} if meta else {}))


@st.composite
def holds(draw: st.DrawFn) -> OriginAnswer:
    """Return a hold by headers or by a document."""
    mode = draw(st.sampled_from(["response", "stream"]))
    filters = draw(delivery_filters)
    body = draw(bodies)
    headers = draw(plain_headers)
    if draw(st.booleans()):
        channel = "; ".join(["{channel}", *(f"filter={name}" for name in filters)])
        told = (("Grip-Hold", mode), ("Grip-Channel", channel), *draw(metas), *draw(EXPOSED), *draw(STATUS_HEADERS))
        return _answer(draw(statuses), (*headers, *told), body)
    document = {
        "hold": {"mode": mode, "channels": [{"name": "{channel}", "filters": filters}], "meta": {"user": "alice"}},
        "response": {
            "code": draw(statuses),
            "headers": [list(pair) for pair in headers],
            "body-bin": base64.b64encode(body).decode(),
        },
    }
    return _answer(200, (("Content-Type", "application/grip-instruct"),), json.dumps(document).encode())


@st.composite
def held_exchanges(draw: st.DrawFn) -> Exchange:
    first = draw(holds())
    later = draw(st.lists(st.one_of(holds(), finals()), max_size=1))
    return Exchange((first, *later), publishes=tuple(draw(st.lists(steps(with_ids=False), max_size=2))))


@st.composite
def positioned_exchanges(draw: st.DrawFn) -> Exchange:
    """A hold with a position: items that follow, and items that show a gap."""
    mode = draw(st.sampled_from(["response", "stream"]))
    link = (("Grip-Link", "<more>; rel=next"),) if mode == "stream" else ()
    first = _answer(200, (("Grip-Hold", mode), ("Grip-Channel", "{channel}; prev-id=1"), *link), draw(bodies))
    step = draw(steps(with_ids=True))
    if mode == "stream":
        step.item.update({"id": "2", "prev-id": "1"})
    return Exchange((first, draw(finals())), publishes=(step,))


@st.composite
def finals(draw: st.DrawFn) -> OriginAnswer:
    return _answer(draw(st.sampled_from([200, 200, 201])), draw(plain_headers), draw(bodies))


@st.composite
def plain_exchanges(draw: st.DrawFn) -> Exchange:
    """No hold: answered at once, with instructions or without; or nonsense."""
    headers, body = draw(plain_headers), draw(bodies)
    kind = draw(st.sampled_from(["status", "expose", "unknown", "none", "bad", "document", "bad document", "link"]))
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    told: Headers = {
        "status": draw(STATUS_HEADERS),
        "expose": draw(EXPOSED),
        "unknown": (("Grip-Unknown", "1"),),
        "bad": draw(st.sampled_from(BAD)),
        "link": (("Grip-Link", "<more>; rel=next"),),
    }.get(kind, ())
    if kind in ("document", "bad document"):
        document = {"response": {"code": draw(statuses), "body": draw(texts)}}
        if kind == "bad document":
            document = draw(st.sampled_from(BAD_DOCUMENTS))
        answer = _answer(200, (("Content-Type", "application/grip-instruct"),), json.dumps(document).encode())
        return Exchange((answer,), method=method)
    later = (draw(finals()),) if kind == "link" else ()
    sent = draw(st.binary(max_size=50)) if method in ("POST", "PUT") else b""
    return Exchange((_answer(draw(statuses), (*headers, *told), body), *later), method=method, body=sent)


@st.composite
def socket_exchanges(draw: st.DrawFn) -> Exchange:
    """A WebSocket over HTTP: what either side says, what is published, how it ends."""
    said = texts.map(lambda text: "m:" + text)
    opening = EventsAnswer(
        tuple(draw(st.lists(said, max_size=2))),
        is_opening=True,
        filters=tuple(draw(delivery_filters)),
        headers=draw(st.sampled_from([(), (("Set-Meta-User", "alice"),), (("Sec-WebSocket-Protocol", "chat"),)])),
    )
    later = [EventsAnswer(tuple(one)) for one in draw(st.lists(st.lists(said, max_size=2), max_size=2))]
    message = st.one_of(
        st.fixed_dictionaries({"content": texts}),
        st.sampled_from([{"content-bin": "AP8="}, {"type": "ping", "content": "p"}, {"type": "pong", "content": "q"}]),
        st.sampled_from([{"action": "close", "code": 4001, "reason": "bye"}, {"action": "hint"}]),
    )
    meta = st.sampled_from([{}, {"sender": "alice"}, {"skip_users": "alice, bob"}, {"require_sub": "x"}])
    item = st.builds(lambda one, of: Step({"formats": {"ws-message": one}, "meta": of}), message, meta)
    steps = st.lists(st.one_of(item, words.map(lambda text: Step(text=text))), max_size=3)
    protocol = (
        (("Sec-WebSocket-Protocol", "chat"),) if opening.headers[:1] == (("Sec-WebSocket-Protocol", "chat"),) else ()
    )
    answers = (opening, *later, EventsAnswer())
    return Exchange(answers, headers=protocol, publishes=tuple(draw(steps)), is_socket=True)


def _answer(status: int, headers: Headers, body: bytes) -> OriginAnswer:
    return OriginAnswer(status, REASONS[status], headers, body)


exchanges = st.one_of(
    held_exchanges(),
    held_exchanges(),
    patched_exchanges(),
    positioned_exchanges(),
    plain_exchanges(),
    socket_exchanges(),
)
