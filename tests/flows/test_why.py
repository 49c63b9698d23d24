"""Mistakes as people make them: each is named, with its cure, by the API and the page."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.flows.why_stages import MISTAKES, SET_UP, Mistake, Stage
from tests.servers.dashboard import Dashboard
from tests.servers.product import Product, ProductRealm

#: Each takes up to 2 s when the process is too busy to answer.
ATTEMPTS = 10
ALICE = "alice-why@example.com"
_MAKE_REALMS = """
import io
from django.core.management import call_command
from django.utils import timezone
from publishing.models import WebhookEndpoint
from realms.models import ApiKey, Realm
from realms.rule_settings import RuleSettings
from realms.services import issue_api_key, revoke_api_key, revoke_user
from realms.services.rules import add_rule
for set_up in sys.argv[2:]:
    told = io.StringIO()
    call_command("create_realm", "--json", "--owner", sys.argv[1], stdout=told)
    described = json.loads(told.getvalue())
    realm = Realm.objects.get(pk=described["realm"])
    created = ApiKey.objects.get(realm=realm).pk
    live = described["key"]
    exec(set_up)
    realm.save()
    if "new" in dir():
        live = new.secret
        del new
    print(json.dumps(described | {"live": live}))
"""


@pytest.fixture(scope="module")
def dashboard(product: Product) -> Iterator[Dashboard]:
    with Dashboard(product.url) as dashboard:
        dashboard.sign_up(ALICE)
        yield dashboard


@pytest.fixture(scope="module")
def realms(product: Product, dashboard: Dashboard) -> dict[str, tuple[ProductRealm, str]]:
    """A realm for each mistake, and the key that holds."""
    names = [mistake.name for mistake in MISTAKES] + ["foreign"]
    lines = product.run_python(_MAKE_REALMS, ALICE, *(SET_UP.get(name, "pass") for name in names)).splitlines()
    made = {}
    for name, line in zip(names, lines, strict=True):
        described = json.loads(line)
        live = described.pop("live")
        made[name] = ProductRealm(**described), live
    return made


def ask(http: httpx.Client, url: str, asked: dict[str, str], auth: tuple[str, str]) -> Any:
    """Return the answer; a machine that is very busy may give none, or one with parts missing, and is asked again."""
    for _ in range(ATTEMPTS):
        answer = http.get(url, params=asked, auth=auth)
        if answer.status_code != 503 and not answer.json().get("missing"):
            break
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_named_with_its_cure(
    product: Product,
    dashboard: Dashboard,
    realms: dict[str, tuple[ProductRealm, str]],
    http: httpx.Client,
    mistake: Mistake,
) -> None:
    realm, live_key = realms[mistake.name]
    stage = Stage(realm, realms["foreign"][0], http)
    with stage.stack:
        mistake.play(stage)
        asked = {"about": mistake.about} | ({"kind": mistake.kind} if mistake.kind else {})
        answer = ask(http, f"{product.url}/api/v1/realms/{realm.realm}/why", asked, (realm.realm, live_key))
        page = dashboard.read(f"/realms/{realm.realm}/why/", **asked)

    told = [finding["code"] for finding in answer["findings"]]
    assert mistake.code in told, answer["summary"]
    finding = answer["findings"][told.index(mistake.code)]
    faults = [one["code"] for one in answer["findings"] if one["severity"] == "fault"]
    assert not faults or faults[0] == mistake.code, answer["findings"]
    assert mistake.cure in finding["cure"]
    assert f'data-code="{mistake.code}"' in page or "does not answer" in page
