"""Clients whose address is fixed and that use TLS, unmodified: `https://api.fanout.io` with a private authority."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.servers.api_host import HOST, ApiHost, serve_api_host
from tests.servers.listening import Listener
from tests.servers.product import Product, ProductRealm

PROGRAM_TIMEOUT_S = 30.0

FANOUT = """
import fanout
fanout.realm, fanout.key = realm["realm"], realm["key"]
fanout.publish(channel, {"n": 1}, id="1", prev_id="0", blocking=True)
for n in range(2, 13):
    fanout.publish(channel, {"n": n})
"""
DJANGO_FANOUT = """
import django
from django.conf import settings
settings.configure(FANOUT_REALM=realm["realm"], FANOUT_KEY=realm["key"])
django.setup()
import django_fanout
for n in range(1, 13):
    django_fanout.publish(channel, {"n": n})
"""
#: What an entry in the hosts file would do, for one process.
_HOSTS_ENTRY = """
const tls = require("tls"), connect = tls.connect;
tls.connect = (options, ...rest) => connect(
    options.servername === "%s" ? { ...options, host: "127.0.0.1", port: %d } : options, ...rest);
"""
FANOUTPUB = """
const { Fanout } = require("fanoutpub");
const realm = JSON.parse(process.env.TEST_REALM);
const fanout = new Fanout(realm.realm, realm.key);
const publish = (n) => new Promise((done, failed) => fanout.publish(
    process.env.TEST_CHANNEL, { n }, (ok, message) => ok ? done() : failed(new Error(message))));
(async () => { for (let n = 1; n < 13; n++) await publish(n); })();
"""


@pytest.fixture
def api_host(product: Product, tmp_path: Path) -> Iterator[ApiHost]:
    with serve_api_host(product.port, tmp_path) as api_host:
        yield api_host


@pytest.fixture
def environment(realm: ProductRealm, channel: str, api_host: ApiHost) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ours.pop("DJANGO_SETTINGS_MODULE", None)
    return ours | {
        "TEST_REALM": json.dumps(asdict(realm)),
        "TEST_CHANNEL": channel,
        "https_proxy": api_host.proxy,
        "REQUESTS_CA_BUNDLE": str(api_host.authority),
        "NODE_EXTRA_CA_CERTS": str(api_host.authority),
    }


def run(command: list[str], environment: dict[str, str], folder: Path | None = None) -> None:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", [FANOUT, DJANGO_FANOUT], ids=["fanout", "django-fanout"])
def test_python_libraries_publish(program: str, environment: dict[str, str], listener: Listener):
    setting = 'import json, os; realm = json.loads(os.environ["TEST_REALM"]); channel = os.environ["TEST_CHANNEL"]\n'
    run([sys.executable, "-c", setting + program], environment)

    assert listener.take(12) == [{"n": n} for n in range(1, 13)]


def test_fanoutpub_publishes(
    environment: dict[str, str], api_host: ApiHost, node_packages: Path, tmp_path: Path, listener: Listener
):
    hosts = tmp_path / "hosts.js"
    hosts.write_text(_HOSTS_ENTRY % (HOST, api_host.port))
    run(["node", "--no-deprecation", "--require", str(hosts), "-e", FANOUTPUB], environment, node_packages)

    assert listener.take(12) == [{"n": n} for n in range(1, 13)]
