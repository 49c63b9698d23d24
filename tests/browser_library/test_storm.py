"""2,000 clients lose the same server at once: their tries are spread, from the first on. The histogram is printed."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from deploy.services import find_node

CLIENTS = 2000
BUCKET_MS = 100
#: The first tries fall into this time; it is `firstDelay`.
FIRST_MS = 1000


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
    buckets = Counter((at - told["lostAt"]) // BUCKET_MS for at in told["tries"])

    for bucket in range(max(buckets) + 1):
        bar = "#" * (buckets[bucket] // 10)
        sys.stdout.write(f"{bucket * BUCKET_MS / 1000:6.1f} s {buckets[bucket]:5} {bar}\n")
    first = [buckets[bucket] for bucket in range(FIRST_MS // BUCKET_MS)]
    assert max(buckets.values()) < 3 * (CLIENTS / len(first))
    assert min(first) > CLIENTS / len(first) / 3
    assert told["connected"] == CLIENTS
