"""A change of domains, made in one process, is live on all edges within a second, over Redis."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.servers.edges import ROOT, START_TIMEOUT_S, Installation
from tests.servers.grip_app import running_app
from tests.servers.listening import PATIENCE_S

HOST = "push.app.localhost"
#: "Within a second", on a busy machine with two cores.
LIVE_S = 3.0
_CHANGE = """
import sys, django
django.setup()
from realms.domain_texts import parse_origins
from realms.models import Realm
from realms.services import claim_domain, remove_domain, set_up_domain
from fanoutcloud.core.domains import Domain
realm, name = Realm.objects.get(), sys.argv[2]
if sys.argv[1] == "remove":
    remove_domain(realm=realm, name=name)
else:
    if sys.argv[1] == "add":
        claim_domain(realm=realm, name=name)
    set_up_domain(realm=realm, name=name, domain=Domain(origins=parse_origins(sys.argv[3])))
"""


def change(installation: Installation, *words: str) -> None:
    environment = installation.environment | {"DJANGO_SETTINGS_MODULE": "fanoutcloud.settings"}
    subprocess.run(
        [sys.executable, "-c", _CHANGE, *words], cwd=ROOT, env=environment, check=True, timeout=START_TIMEOUT_S
    )


def ask(port: int) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}/who", headers={"Host": HOST}, trust_env=False)


def wait_for(port: int, status: int, words: str) -> float:
    """Ask until the answer is as wanted; return how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        answer = ask(port)
        if answer.status_code == status and words in answer.text:
            return time.monotonic() - began
    raise AssertionError(f"port {port} still answers {answer.status_code}: {answer.text[:200]}")


@pytest.mark.slow
@pytest.mark.timeout(300)  # six processes are started one after the other
def test_a_change_is_live_on_all_edges(tmp_path: Path, redis_url: str):
    installation = Installation(tmp_path, redis_url)
    with running_app("one") as one, running_app("two") as two, installation.edge():
        ports = [installation.port]
        installation.take_port()
        ports.append(installation.port)
        with installation.edge():
            assert [ask(port).status_code for port in ports] == [404, 404]  # each remembers that nobody has it
            for words, status, text in (
                (("add", HOST, f"http://127.0.0.1:{one}"), 200, "one"),
                (("set", HOST, f"http://127.0.0.1:{two}"), 200, "two"),
                (("remove", HOST), 404, "unknown_host"),
            ):
                change(installation, *words)
                assert max(wait_for(port, status, text) for port in ports) < LIVE_S
