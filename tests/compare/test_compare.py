"""A short run of the comparison with Pushpin, where that is installed; `make compare-pushpin` is the long one."""

import asyncio
from pathlib import Path

import pytest

from tests.compare.exchanges import Client, Exchange, OriginAnswer, Step
from tests.compare.run import compare_generated, comparison
from tests.load.peers import NotInstalled

FRUIT = (("Content-Type", "text/plain"), ("X-A", "1"), ("Grip-Channel", "{channel}"))
EXAMPLES = {
    "an item answers": Exchange(
        (OriginAnswer(headers=(*FRUIT, ("Grip-Hold", "response")), body=b"[]\n"),),
        publishes=(Step({"http-response": {"code": 201, "headers": {"x-a": "2"}, "body": "[7]"}}),),
    ),
    "a stream ends": Exchange(
        (OriginAnswer(headers=(*FRUIT, ("Grip-Hold", "stream")), body=b"apple"),),
        publishes=(Step({"http-stream": {"content": "pear"}}), Step({"http-stream": {"action": "close"}})),
    ),
    "a hint": Exchange(
        (OriginAnswer(headers=(*FRUIT, ("Grip-Hold", "response"))), OriginAnswer(body=b"news")),
        publishes=(Step({"http-response": {"action": "hint"}}),),
    ),
}


@pytest.mark.slow
def test_clients_and_origins_see_the_same_as_with_pushpin(tmp_path: Path):
    with asyncio.Runner() as runner:
        running = comparison(tmp_path)
        try:
            compared = runner.run(running.__aenter__())
        except NotInstalled as absent:
            pytest.skip(str(absent))
        try:
            examples = runner.run(compared.compare_all(list(EXAMPLES.values())))
            generated = compare_generated(compared, runner, count=60, seed_number=4)
        finally:
            runner.run(running.__aexit__(None, None, None))

    assert [str(difference) for difference in [*examples, *generated]] == []


@pytest.mark.parametrize(
    ("raw", "status", "body", "is_ended"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", 200, b"hi", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, b"hi", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 304, b"", True),
    ],
)
async def test_what_a_client_saw_is_read_whatever_its_framing(raw: bytes, status: int, body: bytes, is_ended: bool):
    reader = asyncio.StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    client = Client(reader, _NoWriter(), is_head=False)  # type: ignore[arg-type]
    await client.changed.wait()

    seen = client.seen
    await client.close()

    assert seen is not None
    assert (seen.status, seen.body, seen.is_ended) == (status, body, is_ended)


class _NoWriter:
    def close(self) -> None:
        """There is nothing to close."""
