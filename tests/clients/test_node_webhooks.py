"""JavaScript `standardwebhooks` and `svix`, unmodified, check our signatures."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from publishing.webhooks.signing import SigningKeys, new_secret, private_key, show_secret, signature_headers

BODY = '{"type":"channel.message","data":{"text":"käse"}}'
TIMEOUT_S = 60.0
_VERIFY = """
const { Webhook } = require(process.argv[1]);
const told = JSON.parse(process.argv[2]).map(({ secret, body, headers }) => {
  try { return new Webhook(secret).verify(body, headers); } catch (error) { return error.constructor.name; }
});
console.log(JSON.stringify(told));
"""


def verify(folder: Path, library: str, calls: list[dict[str, Any]]) -> list[Any]:
    """Return what the library says of each call: the body that it holds for true, or its error's name."""
    command = ["node", "-e", _VERIFY, library, json.dumps(calls)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("library", ["standardwebhooks", "svix"])
def test_they_accept_ours_with_the_new_secret_and_the_old_and_refuse_all_else(node_packages: Path, library: str):
    new, old = new_secret(), new_secret()
    keys, now = SigningKeys((new, old), (private_key(new),)), int(time.time())
    ours = dict(signature_headers(keys, webhook_id="evt_1", timestamp=now, body=BODY.encode()))
    stale = dict(signature_headers(keys, webhook_id="evt_1", timestamp=now - 3600, body=BODY.encode()))
    call = {"secret": show_secret(new), "body": BODY, "headers": ours}

    told = verify(
        node_packages,
        library,
        [
            call,
            call | {"secret": show_secret(old)},
            call | {"secret": show_secret(new_secret())},
            call | {"body": BODY + " "},
            call | {"headers": ours | {"webhook-id": "evt_2"}},
            call | {"headers": stale},
        ],
    )

    assert told[:2] == [json.loads(BODY)] * 2
    assert told[2:] == ["WebhookVerificationError"] * 4
