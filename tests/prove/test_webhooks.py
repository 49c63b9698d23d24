"""The short form of `make prove-webhooks`."""

import os
import sys

import pytest

from tests.prove.installation import ROOT
from tests.prove.webhooks import WebhookSink, find_faults
from tests.servers.command import started
from tests.servers.webhook_sink import Received

RUN_TIMEOUT_S = 220.0


@pytest.mark.slow
@pytest.mark.timeout(RUN_TIMEOUT_S + 20)
def test_every_acknowledged_item_arrives_while_workers_are_killed() -> None:
    options = ["--events", "300", "--kills", "3", "--seconds", "6"]
    with started(
        [sys.executable, "-m", "tests.prove.webhooks", *options], folder=ROOT, environment=os.environ
    ) as prover:
        status = prover.wait_for_end(timeout_s=RUN_TIMEOUT_S)

    assert status == 0, prover.output


def test_the_judge_finds_what_is_missing_and_what_is_out_of_order() -> None:
    sink = WebhookSink()

    def arrive(path: str, number: int) -> None:
        body = b'{"data":{"items":[{"data":{"c":"a","n":%d}}]}}' % number
        sink.take(Received(path, "POST", {"webhook-id": f"{number}"}, body))

    for number in (0, 1, 2):
        arrive("/any", number)
        arrive("/ordered", number)
    well = find_faults(sink, {("a", 0), ("a", 1), ("a", 2)}, left=0)
    arrive("/ordered", 5)
    faults = find_faults(sink, {("a", 0), ("a", 3)}, left=2)

    assert well == []
    assert [fault.split(":")[0] for fault in faults] == [
        "/any",
        "/ordered",
        "/ordered",
        "2 deliveries are not delivered",
    ]
