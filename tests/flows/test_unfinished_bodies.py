"""Bodies that stop in the middle, on the wire: given up in bounded time, and the connection with them."""

import asyncio

from publishing.endpoint import find_target
from tests.flows.wire import WireAnswer, connect, head_of
from tests.publishing.asgi import Endpoint
from tests.publishing.credentials import ALICE, ALICE_KEY, key_text
from tests.servers.in_process import serve_in_process
from tests.servers.product import ProductRealm

REALM = ProductRealm(ALICE, key_text(ALICE_KEY), "", "", "")


def send_half_and_wait(port: int, head: bytes) -> tuple[WireAnswer, bool]:
    """Return the answer to a request whose body never ends, and whether the connection was closed after it."""
    with connect(port) as wire:
        wire.send(head + b'{"items":[')
        return wire.read_answer(), wire.is_closed_by_server()


async def answer_to(head: bytes) -> tuple[WireAnswer, bool]:
    endpoint = Endpoint(body_timeout_s=0.1)

    async def app(scope, receive, send):
        await endpoint.endpoint.serve(find_target(scope["raw_path"]), scope, receive, send)

    async with serve_in_process(app) as port:
        return await asyncio.to_thread(send_half_and_wait, port, head)


async def test_half_a_body_and_then_silence_is_given_up():
    answer, is_closed = await answer_to(head_of(REALM, Content_Length="1000"))

    assert (answer.status, answer.text) == (400, "body: the body did not come within 0.1 s; send it at once\n")
    assert is_closed


async def test_a_chunked_body_that_never_ends_is_given_up():
    answer, is_closed = await answer_to(head_of(REALM, Transfer_Encoding="chunked") + b"A\r\n")

    assert (answer.status, is_closed) == (400, True)
