"""Requests to the API, told apart from how they are made: one text of each call serves blocking and asyncio clients.

A call is a generator. It yields a `Request` and is sent the `Answer`, or yields a `Pause` and is sent nothing.
"""

import asyncio
import random
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from fanoutcloud_client.backoff import request_delay_s
from fanoutcloud_client.errors import FanoutError, Unreachable, error_of_message, error_of_status
from fanoutcloud_client.json_text import decode_object, encode

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 15.0
#: Publishers' ids are remembered for 60 s: a repetition after that would be delivered again.
MAX_PATIENCE_S = 50.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `headers` may hold a secret."""

    method: str
    url: str
    headers: list[tuple[str, str]] = field(repr=False)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `error` instead, where nothing did."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = b""
    error: Unreachable | None = None

    def json(self) -> dict[str, Any]:
        """Return the JSON object of the body; an empty one where there is none."""
        return decode_object(self.body) or {}

    def as_error(self) -> FanoutError | None:
        """Return what is wrong, or None: an answer of 2xx."""
        if self.error is not None or 200 <= self.status < 300:
            return self.error
        return error_of_answer(self.status, self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds are to pass."""

    seconds: float


Call = Generator[Request | Pause, Answer, T]


def json_request(method: str, url: str, headers: list[tuple[str, str]], value: Any) -> Request:  # Any: any JSON
    """Return a request with a JSON body."""
    return Request(method, url, [*headers, ("Content-Type", "application/json")], encode(value))


def ask(request: Request, *, patience_s: float) -> Call[Answer]:
    """Make a request that may be made again, until it succeeds, fails for good, or `patience_s` would be over.

    Raises:
        FanoutError: what the last attempt said.
    """
    give_up_at = time.monotonic() + min(patience_s, MAX_PATIENCE_S)
    chance = random.Random()  # noqa: S311 - spreads retries, guards nothing
    attempt = 0
    while True:
        answer = yield request
        error = answer.as_error()
        if error is None:
            return answer
        delay_s = request_delay_s(attempt, error.retry_after_s, chance)
        if not error.retryable or time.monotonic() + delay_s > give_up_at:
            raise error
        attempt += 1
        yield Pause(delay_s)


def ask_once(request: Request) -> Call[Answer]:
    """Make a request that must not be made twice.

    Raises:
        FanoutError: it did not succeed.
    """
    answer = yield request
    if (error := answer.as_error()) is not None:
        raise error
    return answer


def error_of_answer(status: int, headers: httpx.Headers, body: bytes) -> FanoutError:
    """Return the error that an answer tells, in any of the server's forms, or in those of a proxy."""
    members = decode_object(body) or {}
    told = members.get("error", members)
    if not isinstance(told, dict) or not (told.get("code") or told.get("detail")):
        cure = "is the address right, and is it a Fanout Cloud server?" if status < 500 else "try again later"
        return error_of_status(status)(
            f"the server answered {status}, and not in our words",
            cure=cure,
            status=status,
            retry_after_s=_retry_after_s(headers),
        )
    error = error_of_message(told, status)
    if error.retry_after_s is None:
        error.retry_after_s = _retry_after_s(headers)
    return error


def unreachable(url: str, error: Exception) -> Unreachable:
    """Return our error for what the HTTP or WebSocket library met."""
    host = httpx.URL(url).netloc.decode()
    what = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout | TimeoutError):
        return Unreachable(f"{host} did not answer in time", code="timeout", cure="check the network, or try again")
    return Unreachable(f"{host} can't be reached: {what}", cure="check the address, the network and proxies")


def run_blocking(call: Call[T], http: httpx.Client) -> T:
    """Run a call to its end in this thread."""
    try:
        step = next(call)
        while True:
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                step = next(call)
            else:
                step = call.send(_send(step, http))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # T, as `Call` says; StopIteration does not


async def run(call: Call[T], http: httpx.AsyncClient) -> T:
    """Run a call to its end on this event loop. Cancelling it leaves open whether the request has arrived."""
    try:
        step = next(call)
        while True:
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                step = next(call)
            else:
                step = call.send(await _send_async(step, http))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # as above


def timeouts() -> httpx.Timeout:
    """Return the deadlines of requests that are answered at once."""
    return httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)


def _send(request: Request, http: httpx.Client) -> Answer:
    try:
        got = http.request(request.method, request.url, headers=request.headers, content=request.body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(error=unreachable(request.url, error))
    return Answer(got.status_code, got.headers, got.content)


async def _send_async(request: Request, http: httpx.AsyncClient) -> Answer:
    try:
        got = await http.request(request.method, request.url, headers=request.headers, content=request.body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(error=unreachable(request.url, error))
    return Answer(got.status_code, got.headers, got.content)


def _retry_after_s(headers: httpx.Headers) -> float | None:
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
