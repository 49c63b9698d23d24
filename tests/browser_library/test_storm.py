"""2,000 clients lose the same server at once: their tries are spread, from the first on. The histogram is printed.

Once with the clock in hand, so that only what clients choose is seen; by `make try-fanout-js` with a real server.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from deploy.services import find_node
from tests.browser_library.pages import IS_FULL
from tests.servers.product import Product

CLIENTS = 2000
BUCKET_MS = 100
#: The first tries fall into this time; it is `firstDelay`.
FIRST_MS = 1000
LIVE_TIMEOUT_S = 60.0


def test_two_thousand_clients_that_lose_their_server_do_not_return_as_one() -> None:
    assert find_node(), "Node.js is not installed; `make test` installs it"
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("storm.mjs")), "http://site.invalid", str(CLIENTS)],
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    told = json.loads(done.stdout)
    buckets = show_histogram("tries", (at - told["lostAt"] for at in told["tries"]))

    first = [buckets[bucket] for bucket in range(FIRST_MS // BUCKET_MS)]
    assert max(buckets.values()) < 3 * (CLIENTS / len(first))
    assert min(first) > CLIENTS / len(first) / 3
    assert told["connected"] == CLIENTS


@pytest.mark.slow
@pytest.mark.skipif(not IS_FULL, reason="`make try-fanout-js` lets 2,000 clients lose a real server")
def test_two_thousand_clients_come_back_to_a_real_server_that_was_killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    product = Product(tmp_path_factory.mktemp("storm"))
    product.start()
    realm = product.create_realm()
    storm = subprocess.Popen(
        ["node", str(Path(__file__).with_name("storm_live.mjs")), realm.site, str(CLIENTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert storm.stdout is not None
        assert storm.stdin is not None
        assert json.loads(storm.stdout.readline()) == "connected"
        product.kill()
        product.start()
        assert json.loads(storm.stdout.readline()) == "connected"
        told = json.loads(storm.communicate("end\n", timeout=LIVE_TIMEOUT_S)[0].splitlines()[-1])
    finally:
        storm.kill()
        storm.wait()
        product.kill()

    show_histogram("tries", told["tries"], 500)
    back = show_histogram("connected again", told["returns"], 500)
    assert told["connected"] == CLIENTS
    assert max(back.values()) < CLIENTS / 2


def show_histogram(title: str, times_ms: Iterable[int], bucket_ms: int = BUCKET_MS) -> Counter[int]:
    """Print how many fall into each span of time, and return that."""
    buckets = Counter(at // bucket_ms for at in times_ms)
    sys.stdout.write(f"{title}\n")
    for bucket in range(max(buckets) + 1):
        bar = "#" * (buckets[bucket] // 10)
        sys.stdout.write(f"{bucket * bucket_ms / 1000:6.1f} s {buckets[bucket]:5} {bar}\n")
    return buckets
