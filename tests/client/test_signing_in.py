"""`fanout login` to `logout`, and `tail`, against the real product."""

import json
import queue
import re
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from tests.client.conftest import Fanout, Installed
from tests.servers.product import Product, ProductRealm

PATIENCE_S = 60.0
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def alice(product: Product, realm: ProductRealm) -> Iterator[httpx.Client]:
    """Alice's browser, signed in to the dashboard."""
    product.run_python(
        "from accounts.models import User\n"
        "alice = User.objects.get(email='alice@example.com')\n"
        "alice.set_password(sys.argv[1])\n"
        "alice.save()\n",
        PASSWORD,
    )
    with httpx.Client(base_url=product.url, follow_redirects=True, timeout=PATIENCE_S, trust_env=False) as browser:
        page = browser.get("/accounts/login/").text
        fields = {"login": "alice@example.com", "password": PASSWORD, "csrfmiddlewaretoken": _csrf(page)}
        assert browser.post("/accounts/login/", data=fields).status_code == 200
        yield browser


def _csrf(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def decide(browser: httpx.Client, code: str, decision: str) -> str:
    page = browser.get("/accounts/device/", params={"code": code}).text
    fields = {"code": code, "decision": decision, "csrfmiddlewaretoken": _csrf(page)}
    return browser.post("/accounts/device/", data=fields).text


def start_login(installed: Installed, environment: dict[str, str], *words: str) -> tuple["subprocess.Popen[str]", str]:
    """Start `fanout login`; return it with the code that it shows."""
    process = subprocess.Popen(
        [installed.fanout, "login", environment["FANOUT_URL"], "--no-browser", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    code = re.search(r"code ([B-Z]{4}-[B-Z]{4})", process.stderr.readline())
    assert code is not None
    return process, code[1]


@pytest.fixture
def person(environment: dict[str, str]) -> dict[str, str]:
    """The environment of somebody who has set the server's address and nothing else."""
    return {name: value for name, value in environment.items() if name not in ("FANOUT_KEY", "FANOUT_REALM")}


def test_a_person_signs_in_works_and_signs_out(
    installed: Installed, person: dict[str, str], alice: httpx.Client, realm: ProductRealm, fanout: Fanout
) -> None:
    nothing = {"FANOUT_KEY": "", "FANOUT_REALM": ""}
    process, code = start_login(installed, person, "--json", "--label", "my laptop")
    assert "Done" in decide(alice, code, "approve")
    told, errors = process.communicate(timeout=PATIENCE_S)

    config = Path(person["FANOUT_CONFIG"])
    assert process.returncode == 0, errors
    assert json.loads(told)["realm"] == realm.realm
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert "alice@example.com, API token my laptop" in fanout("whoami", **nothing).output
    published = fanout("publish", "signed-in", "1", "--json", **nothing).rows
    assert published[0]["position"].endswith(":1")
    assert fanout("token", "make", "a", **nothing).output.count(".") == 2
    kept = json.loads(config.read_text())

    assert fanout("logout", **nothing).output == "signed out\n"
    assert "api_token" not in json.loads(config.read_text())
    assert fanout("whoami", **nothing, FANOUT_API_TOKEN=kept["api_token"]).status == 3


def test_a_refusal_ends_the_login(installed: Installed, person: dict[str, str], alice: httpx.Client) -> None:
    process, code = start_login(installed, person)
    assert "Refused" in decide(alice, code, "deny")
    _, errors = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 3
    assert "the request was refused on the page" in errors
    assert not Path(person["FANOUT_CONFIG"]).exists()


def test_tail_shows_what_the_server_sees(installed: Installed, environment: dict[str, str], fanout: Fanout) -> None:
    words = ["tail", "--json", "--kind", "published", "--channel", "tailed", "--count", "1", "--timeout", "40"]
    process = subprocess.Popen([installed.fanout, *words], env=environment, stdout=subprocess.PIPE, text=True)
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: lines.put(process.stdout.readline() if process.stdout else ""))
    reader.start()
    while lines.empty() and process.poll() is None:
        fanout("publish", "other", "0")
        fanout("publish", "tailed", "1")
    process.wait(PATIENCE_S)
    reader.join()
    process.stdout.close()

    told = json.loads(lines.get())
    assert (process.returncode, told["kind"], told["channel"]) == (0, "published", "tailed")


def test_tail_of_a_realm_that_is_not_yours_says_so(fanout: Fanout) -> None:
    done = fanout("tail", FANOUT_REALM="00000000")

    assert done.status == 4
    assert "connections:read" in done.errors


def test_listen_relays_webhooks_to_this_machine(
    installed: Installed, environment: dict[str, str], product: Product, realm: ProductRealm, fanout: Fanout
) -> None:
    token = product.run_python(_ISSUE_TOKEN, realm.realm).strip()
    came: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Hooks(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Hooks)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    words = ["listen", f"http://127.0.0.1:{server.server_port}/", "--pattern", "hooked", "--count", "1", "--json"]
    ours = environment | {"FANOUT_API_TOKEN": token, "FANOUT_KEY": ""}
    process = subprocess.Popen([installed.fanout, *words], env=ours, stdout=subprocess.PIPE, text=True)
    while process.poll() is None and came.empty():
        fanout("publish", "hooked", '{"paid":true}')
    told, _ = process.communicate(timeout=PATIENCE_S)
    server.shutdown()
    thread.join()
    server.server_close()

    headers, body = came.get(timeout=PATIENCE_S)
    row = json.loads(told)
    assert (process.returncode, row["status"], row["verdict"]) == (0, 204, "valid")
    assert headers["webhook-id"] == row["id"]
    assert b'"paid":true' in body
    assert fanout("listen", "http://127.0.0.1:9", FANOUT_KEY=realm.key).status == 3


_ISSUE_TOKEN = """
from accounts.models import User
from realms.actors import Actor
from realms.models import Realm
from realms.scopes import Scope
from realms.services.api_tokens import issue_api_token
realm = Realm.objects.get(pk=sys.argv[1])
scopes = [Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE]
print(issue_api_token(issued_by=Actor.of_person(realm.owner), scopes=scopes).text)
"""
