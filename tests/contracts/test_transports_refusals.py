"""What bad requests, strangers and deleted realms get: a clear status or close code, and nothing else."""

import asyncio
import json
import secrets
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.contracts.transports import (
    PATIENCE_S,
    PollReader,
    Reader,
    SiteUnderTest,
    SseReader,
    StreamReader,
    WebSocketReader,
)
from tests.servers.dashboard import Dashboard

HTTP_READERS = [SseReader, StreamReader, PollReader]

#: Query → the member that is named as the cause.
_BAD_QUERIES = {
    "nothing": ("", "channel"),
    "empty name": ("channel=", "channel"),
    "10 KB name": ("channel=" + "x" * 10_240, "channel"),
    "long in UTF-8": ("channel=" + "%E6%97%A5" * 200, "channel"),
    "NUL": ("channel=a%00b", "channel"),
    "line feed": ("channel=a%0Ab", "channel"),
    "DEL": ("channel=%7F", "channel"),
    "line separator": ("channel=%E2%80%A8", "channel"),
    "not UTF-8": ("channel=%FF%FE", "query"),
    "UTF-8 surrogate": ("channel=%ED%A0%80", "query"),
    "1,000 channels": ("&".join(f"channel={n}" for n in range(1000)), "channel"),
    "1,200 members": ("&".join(["a=1"] * 1200), "query"),
    "word as cursor": ("channel=a&since=yesterday", "since"),
    "short epoch": ("channel=a&since=abc:1", "since"),
    "negative offset": ("channel=a&since=abcdefgh:-1", "since"),
    "huge offset": ("channel=a&since=abcdefgh:99999999999999999999", "since"),
    "other digits": ("channel=a&since=abcdefgh:%D9%A3", "since"),
    "cursor of two for one": ("channel=a&since=abcdefgh:1,abcdefgh:2", "since"),
    "cursor of one for two": ("channel=a&channel=b&since=abcdefgh:1", "since"),
}


def _check_error(error: dict[str, Any], code: str, field: str | None = None) -> None:
    assert error["code"] == code, error
    assert error["message"]
    assert error["cure"]
    assert error.get("field") == field
    assert "Traceback" not in json.dumps(error)


async def _read_refusal(site: SiteUnderTest, path: str) -> tuple[dict[str, Any], int | None]:
    """Open a WebSocket that is refused; return the error told before the close, and the close code."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S), connect(f"ws://127.0.0.1:{site.port}{path}") as socket:
        try:
            while True:
                messages.append(json.loads(await socket.recv()))
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
    assert [message["type"] for message in messages if message["type"] != "welcome"] == ["error"]
    return messages[-1], code


@pytest.mark.parametrize(("query", "field"), list(_BAD_QUERIES.values()), ids=list(_BAD_QUERIES))
@pytest.mark.parametrize("kind", HTTP_READERS, ids=lambda kind: kind.path)
async def test_a_bad_request_is_answered_with_400_and_its_place(
    site: SiteUnderTest, kind: type[Reader], query: str, field: str
) -> None:
    answer = await site.get(f"{kind.path}?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    _check_error(answer.json()["error"], "invalid_request", field)


@pytest.mark.parametrize(
    ("query", "field"),
    [pytest.param(*case, id=name) for name, case in _BAD_QUERIES.items() if name != "nothing"],
)
async def test_a_bad_websocket_request_is_told_its_place_and_closed_for_good(
    site: SiteUnderTest, query: str, field: str
) -> None:
    error, code = await _read_refusal(site, f"{site.path}/fanout/ws?{query}")

    _check_error(error, "invalid_request", field)
    assert code == 3400


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/fanout/stream?channel=a&mode=fancy", "mode"),
        ("/fanout/poll?channel=a&timeout=soon", "timeout"),
        ("/fanout/poll?channel=a&timeout=-1", "timeout"),
    ],
)
async def test_a_bad_option_is_answered_with_400(site: SiteUnderTest, path: str, field: str) -> None:
    answer = await site.get(path)

    assert answer.status_code == 400
    _check_error(answer.json()["error"], "invalid_request", field)


async def test_a_bad_last_event_id_is_answered_with_400(site: SiteUnderTest, channel: str) -> None:
    answer = await site.get(f"/fanout/sse?channel={channel}", headers={"last-event-id": "ünsinn".encode("latin-1")})

    assert answer.status_code == 400
    _check_error(answer.json()["error"], "invalid_request", "since")


async def test_as_many_channels_as_allowed_are_served(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    channels = [f"{channel}-{number}" for number in range(200)]
    async with reader(site, *channels) as subscriber:
        await subscriber.ready()
        await site.publish(channels[-1], "last")

        assert await subscriber.data(1) == ["last"]


@pytest.mark.parametrize("kind", HTTP_READERS, ids=lambda kind: kind.path)
async def test_an_unknown_realm_is_answered_with_404(site: SiteUnderTest, kind: type[Reader]) -> None:
    answer = await site.http.get(f"{site.url}/r/00000000{kind.path}?channel=a")

    assert answer.status_code == 404
    _check_error(answer.json()["error"], "unknown_realm")


async def test_a_websocket_of_an_unknown_realm_is_closed_for_good(site: SiteUnderTest) -> None:
    error, code = await _read_refusal(site, "/r/00000000/fanout/ws?channel=a")

    _check_error(error, "unknown_realm")
    assert code == 3404


@pytest.mark.parametrize(
    "path", ["", "/", "/fanout", "/fanout/ws", "/fanout/SSE", "/bayeu", "/admin/", "/fanout/sse/a"]
)
async def test_an_unknown_path_is_answered_with_404(site: SiteUnderTest, path: str) -> None:
    answer = await site.get(f"{path}?channel=a")

    assert answer.status_code == 404
    _check_error(answer.json()["error"], "not_found")


async def test_a_websocket_at_an_unknown_path_is_closed_for_good(site: SiteUnderTest) -> None:
    error, code = await _read_refusal(site, f"{site.path}/fanout/sse?channel=a")

    _check_error(error, "not_found")
    assert code == 3404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("kind", HTTP_READERS, ids=lambda kind: kind.path)
async def test_other_methods_are_answered_with_405(site: SiteUnderTest, kind: type[Reader], method: str) -> None:
    answer = await site.get(f"{kind.path}?channel=a", method=method, content=b"x" * 1000)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, OPTIONS"
    _check_error(answer.json()["error"], "method_not_allowed")


@pytest.mark.parametrize("path", ["/fanout/sse", "/fanout/stream", "/fanout/poll"])
async def test_a_preflight_allows_what_readers_send(site: SiteUnderTest, path: str) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "last-event-id",
    }
    answer = await site.get(f"{path}?channel=a", method="OPTIONS", headers=asked)

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert "last-event-id" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/fanout/poll?timeout=0&channel=a", "/fanout/poll", "/nothing"])
async def test_every_answer_can_be_read_by_any_page_and_run_by_none(site: SiteUnderTest, path: str) -> None:
    answer = await site.get(path, headers={"origin": "https://app.example", "cookie": "sessionid=secret"})

    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert "secret" not in answer.text


@pytest.mark.parametrize("kind", [SseReader, StreamReader])
async def test_streams_carry_the_same_headers(site: SiteUnderTest, kind: type[StreamReader], channel: str) -> None:
    async with kind(site, channel) as subscriber:
        headers = subscriber.response.headers

    assert headers["content-type"].startswith(("text/event-stream", "application/x-ndjson"))
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"


async def test_deleting_a_realm_ends_its_subscribers_and_refuses_new_ones(
    site: SiteUnderTest, reader: type[Reader]
) -> None:
    with Dashboard(site.url) as alice:
        realm = await asyncio.to_thread(alice.sign_up, f"{secrets.token_hex(4)}@example.com")
        doomed = site.of(realm)
        async with reader(doomed, "a") as subscriber:
            await subscriber.ready()
            ending = asyncio.create_task(_read_end(subscriber))
            await asyncio.to_thread(alice.delete_realm, realm)

            await ending

        if reader is WebSocketReader:
            error, code = await _read_refusal(doomed, f"{doomed.path}/fanout/ws?channel=a")
            assert (error["code"], code) == ("unknown_realm", 3404)
        else:
            assert (await doomed.get(f"{reader.path}?channel=a")).status_code == 404


async def _read_end(subscriber: Reader) -> None:
    """Return when the subscriber was told that its realm was deleted."""
    if isinstance(subscriber, PollReader):
        # Held, it is answered at once with what there is; a moment later it would find no realm.
        assert (await subscriber.request("&timeout=50")).status_code in (200, 404)
        return
    end = await subscriber.next()
    if isinstance(subscriber, WebSocketReader):
        assert end["code"] == 3410
    else:
        assert (end["type"], end["reason"], end["reconnect"]) == ("closing", "realm_deleted", False)
        assert (await subscriber.next())["type"] == "end"
