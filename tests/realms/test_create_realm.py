"""`manage.py create_realm`."""

import base64
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from realms.models import Realm

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("create_realm", *arguments, stdout=out)
    return out.getvalue()


def run_json(*arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return answer


def test_it_prints_all_that_a_script_needs_and_nothing_else():
    printed = run_json("--owner", "alice@example.com", "--label", "From a script")

    realm = Realm.objects.get()
    assert set(printed) == {"realm", "key", "api", "site", "grip_url"}
    assert printed["realm"] == realm.pk
    assert len(base64.b64decode(printed["key"], validate=True)) == 32
    assert printed["api"].endswith(f"/realm/{realm.pk}")
    assert printed["site"].endswith(f"/r/{realm.pk}")
    assert printed["grip_url"].startswith(f"{printed['api']}?iss={realm.pk}&key=base64:")
    assert realm.label == "From a script"


def test_an_owner_who_is_new_has_no_password():
    run_json("--owner", "alice@example.com")

    assert not User.objects.get().has_usable_password()


def test_an_owner_who_exists_is_found_whatever_the_case(alice: User):
    run_json("--owner", "ALICE@example.com")

    assert Realm.objects.get().owner == alice


def test_a_shell_gets_the_variables_of_the_command_line_client():
    lines = run("--owner", "alice@example.com", "--env").splitlines()

    realm = Realm.objects.get()
    found = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    assert list(found) == ["FANOUT_URL", "FANOUT_REALM", "FANOUT_KEY", "FANOUT_SITE"]
    assert found["FANOUT_REALM"] == realm.pk
    assert found["FANOUT_SITE"] == f"{found['FANOUT_URL']}/r/{realm.pk}"


def test_for_people_it_prints_lines():
    assert "grip_url" in run("--owner", "alice@example.com")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--owner", "nobody"], "expected an e-mail address"),
        (["--owner", "alice@example.com", "--label", "x" * 81], "81 characters"),
    ],
)
def test_bad_input_is_one_sentence_and_stores_nothing(arguments: list[str], problem: str):
    with pytest.raises(CommandError, match=problem):
        run(*arguments)

    assert not User.objects.exists()
