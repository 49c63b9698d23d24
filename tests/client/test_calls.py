"""Requests that fail, and what becomes of them."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from fanoutcloud_client import (
    AsyncFanout,
    Fanout,
    FanoutError,
    Forbidden,
    InvalidRequest,
    Item,
    LimitReached,
    NotFound,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from tests.servers.command import free_port


@dataclass
class Answering:
    """A server that answers as told, one after the other; the last answer for ever. None: hangs up without a word."""

    answers: list[tuple[int, dict[str, str], Any] | None]
    bodies: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def answering() -> Iterator[Answering]:
    told = Answering([(200, {}, {"message": "Published"})])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.bodies.append(json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}"))
            answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            if answer is None:
                return
            status, headers, value = answer
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in (headers | {"content-length": str(len(body))}).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def error(code: str, **members: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"it is {code}", "cure": "do better", "field": None} | members}


PUBLISHED = (200, {}, {"message": "Published"})
BUSY = (503, {"retry-after": "0"}, error("unavailable"))


def test_a_publish_is_sent_again_with_the_same_ids_until_it_is_answered(answering: Answering) -> None:
    answering.answers = [None, BUSY, (502, {}, b"<html>"), PUBLISHED]
    with Fanout(answering.url, "r1", key="a2V5") as fanout:
        published = fanout.publish_items([Item("a", 1), Item("a", 2, id="mine")])

    assert len(answering.bodies) == 4
    assert answering.bodies.count(answering.bodies[0]) == 4
    assert [one.id for one in published] == [item["id"] for item in answering.bodies[0]["items"]]
    assert published[1].id == "mine"


async def test_the_asyncio_client_does_the_same(answering: Answering) -> None:
    answering.answers = [None, BUSY, PUBLISHED]
    async with AsyncFanout(answering.url, "r1", key="a2V5") as fanout:
        await fanout.publish("a", 1)

    assert answering.bodies.count(answering.bodies[0]) == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_item", InvalidRequest),
        (401, "wrong_key", Unauthorized),
        (403, "forbidden", Forbidden),
        (404, "not_found", NotFound),
        (413, "item_too_large", InvalidRequest),
    ],
)
def test_a_refusal_is_raised_at_once_with_its_cause_and_cure(
    answering: Answering, status: int, code: str, kind: type[FanoutError]
) -> None:
    answering.answers = [(status, {}, error(code, field="items[0]"))]
    with Fanout(answering.url, "r1", key="a2V5") as fanout, pytest.raises(kind) as raised:
        fanout.publish("a", 1)

    assert (raised.value.code, raised.value.status, raised.value.field) == (code, status, "items[0]")
    assert str(raised.value) == f"it is {code}; do better"
    assert len(answering.bodies) == 1


def test_a_problem_document_is_understood_as_well(answering: Answering) -> None:
    answering.answers = [(403, {}, {"code": "scope_missing", "detail": "no scope", "cure": "add it", "status": 403})]
    with Fanout(answering.url, "r1", api_token="fan_u_x") as fanout, pytest.raises(Forbidden, match="no scope; add it"):
        fanout.publish("a", 1)


def test_a_limit_is_raised_when_it_outlasts_our_patience(answering: Answering) -> None:
    answering.answers = [(429, {"retry-after": "60"}, error("rate_limited", retry_after_s=61))]
    with Fanout(answering.url, "r1", key="a2V5") as fanout, pytest.raises(LimitReached) as raised:
        fanout.publish("a", 1)

    assert (raised.value.retry_after_s, len(answering.bodies)) == (61.0, 1)


def test_what_a_proxy_says_is_not_taken_for_ours(answering: Answering) -> None:
    answering.answers = [(502, {}, b"<html>Bad gateway")]
    with (
        Fanout(answering.url, "r1", key="a2V5", patience_s=0) as fanout,
        pytest.raises(Unavailable, match="answered 502, and not in our words"),
    ):
        fanout.publish("a", 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda fanout: fanout.publish("a", 1),
        lambda fanout: fanout.history("a"),
        lambda fanout: fanout.presence("a"),
        lambda fanout: fanout.request("GET", "/realms"),
    ],
    ids=["publish", "history", "presence", "request"],
)
def test_no_call_is_tried_for_longer_than_its_client_is_patient(
    answering: Answering, call: Callable[[Fanout], object]
) -> None:
    answering.answers = [BUSY] * 3
    with Fanout(answering.url, "r1", key="a2V5", patience_s=0) as fanout, pytest.raises(Unavailable):
        call(fanout)

    assert len(answering.bodies) == 1


def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    with (
        Fanout(f"http://127.0.0.1:{port}", "r1", key="a2V5", patience_s=0) as fanout,
        pytest.raises(Unreachable, match=rf"127.0.0.1:{port} can't be reached: .*; check the address"),
    ):
        fanout.publish("a", 1)


def test_what_changes_something_is_sent_once_unless_it_can_be_told_apart(answering: Answering) -> None:
    answering.answers = [BUSY, PUBLISHED]
    with Fanout(answering.url, "r1", api_token="fan_u_x") as fanout:
        with pytest.raises(Unavailable):
            fanout.request("POST", "/realms", body={})
        answering.answers = [BUSY, PUBLISHED]
        fanout.request("POST", "/realms", body={}, idempotency_key="k1")

    assert len(answering.bodies) == 3


def test_an_address_that_is_none_is_said_so() -> None:
    with pytest.raises(InvalidRequest, match=r"'localhost:8000' is no address; give one such as https"):
        Fanout("localhost:8000", "r1")


def test_a_credential_is_needed_and_is_in_no_repr() -> None:
    with Fanout("http://127.0.0.1:1", "r1") as fanout, pytest.raises(Unauthorized, match="needs a credential"):
        fanout.publish("a", 1)

    assert "a2V5" not in repr(Fanout("http://127.0.0.1:1", "r1", key="a2V5").service)
